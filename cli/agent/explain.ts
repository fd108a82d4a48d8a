import type { Command } from 'commander'

import type { Explanation, WindowState } from '../../agent/index.ts'
import { formatDate } from '../../manifests/dates.ts'
import { formatDuration } from '../../manifests/durations.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

export function registerAgentExplain(agent: Command): void {
  withHomeOptions(agent.command('explain'))
    .description('why this agent does or does not update now; changes nothing that runs')
    .action((options: HomeOptions) => runCommand(options, (signal) => explain(options, signal)))
}

async function explain(options: HomeOptions, signal: AbortSignal): Promise<void> {
  const { explainUpdate } = await import('../../agent/index.ts')
  const { draftOf, printRule } = await import('../../release/rollout/rule-text.ts')
  const explanation = await explainUpdate(await settingsOf(options), await depsFor(false, signal))
  const ruleLines = explanation.rules.map(({ index, rule, decides }) => {
    return `rule      ${index + 1} of ${explanation.rollout.rules?.length}, for ${decides.map((what) => (what === 'move' ? 'what it gets' : what)).join(', ')}: ${printRule(draftOf(rule))}`
  })
  printResult(options.json, explanation, linesOf(explanation, ruleLines))
}

function linesOf(explanation: Explanation, ruleLines: readonly string[]): string[] {
  const { running, isOnTrial, release, rollout, decision, percentCap, windows, quarantine, flags } = explanation
  const { id, labels, spread, rollbackFloor } = explanation
  const cap = percentCap < 100 ? `, as this host takes part up to ${percentCap} %` : ''
  return [
    `agent     ${[id, ...Object.entries(labels).map(([name, value]) => `${name}=${value}`)].join(', ')}`,
    `running   ${running ?? 'nothing'}${isOnTrial ? ', on probation: no update until that is over' : ''}`,
    `offered   ${release.version} of ${release.release_date}, sequence ${rollout.sequence}, good until ${rollout.expires}`,
    `mode      ${modeText(explanation)}`,
    `polls     ${intervalText(explanation)}`,
    `bucket    ${decision.bucket} of 10000; open for ${decision.percent} % now${cap}${rollout.paused === true ? ', but paused' : ''}`,
    ...stagesOf(explanation).map(({ at, percent }) => `stage     ${percent} % from ${at}`),
    ...(spread === undefined
      ? []
      : [`spread    ${rollout.spread}: this agent ${delayText(spread.delayMs)} after the beginning of its stage`]),
    ...ruleLines,
    ...pinLines(explanation),
    ...(rollout.fallback === undefined ? [] : [`fallback  ${rollout.fallback.version}, while held back`]),
    ...windows.map((window) => `window    ${windowText(window)}`),
    ...approvalLines(explanation),
    ...(rollbackFloor === undefined ? [] : [`floor     ${rollbackFloor}: nothing older is installed`]),
    ...quarantine.map(({ version, reason, at }) => `failed    ${version} (${reason}, ${at}): not tried again`),
    ...Object.entries(flags).map(([name, value]) => `flag      ${name} = ${value}`),
    `decision  ${decisionText(explanation)}`,
    `moves     ${moveText(explanation)}`,
  ]
}

/** Those of its rule take the place of the rollout's own. */
function stagesOf({ rollout, rules }: Explanation): Explanation['rollout']['stages'] {
  return (
    rules.find(({ rule, decides }) => rule.stages !== undefined && decides.includes('move'))?.rule.stages ??
    rollout.stages
  )
}

function intervalText({ interval: { ms, by } }: Explanation): string {
  const who = { host: 'as the settings say', rollout: 'as the rollout proposes', default: 'by default' }[by]
  return `every ${formatDuration(ms)}, ${who}`
}

function delayText(delayMs: number): string {
  return formatDuration(Math.round(delayMs / 1000) * 1000)
}

function pinLines({ pin: { byHost, byRule } }: Explanation): string[] {
  return [
    ...(byRule === undefined ? [] : [`pin       ${byRule.version}, by the rollout`]),
    ...(byHost === undefined ? [] : [`pin       ${byHost}, by the settings of this host`]),
  ]
}

function moveText({ move, decision }: Explanation): string {
  if (move === undefined) return decision.kind === 'up-to-date' ? 'not, as it is where it belongs' : 'not by itself'
  const { at, version, reason } = move
  return `${decision.kind === 'install' ? 'now' : `from ${at} on`} to ${version} (${reason})`
}

function modeText({ mode, deployment, role, autoInstall }: Explanation): string {
  const does = {
    install: autoInstall ? 'updates are installed' : 'updates are left to `moult agent check --apply`',
    report: 'updates are only reported',
    none: 'updates are off',
  }[role.kind]
  const warning = role.warning === undefined ? '' : `\n          ${role.warning}`
  return `${mode} on a ${deployment.kind} (${deployment.evidence}): ${does}${warning}`
}

function windowText({ of, start, end, days, timezone, isOpen, opensAt }: WindowState): string {
  const state = isOpen ? 'open' : `closed${opensAt === undefined ? '' : `, opens at ${opensAt}`}`
  return `${start} to ${end} ${days === undefined ? 'every day' : days.join(', ')}, ${timezone}${of === 'rule' ? ', by the rollout' : ''}: ${state}`
}

function approvalLines({ approval: { isNeeded, isGiven }, release, decision }: Explanation): string[] {
  if (!isNeeded) return []
  const { version } = 'version' in decision ? decision : release
  return [`approval  ${isGiven ? 'given' : `needed: moult agent approve ${version}`}`]
}

function decisionText({ decision, release }: Explanation): string {
  const reason = 'reason' in decision ? `: ${decision.reason}` : ''
  const isOpenEnded = decision.kind !== 'wait' || decision.untilMs === undefined
  const other = 'version' in decision && decision.version !== release.version ? ` of ${decision.version}` : ''
  return `${decision.kind}${other}${reason}${isOpenEnded ? '' : ` until ${formatDate(decision.untilMs)}`}`
}
