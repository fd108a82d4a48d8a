import type { Command } from 'commander'

import type { Explanation, WindowState } from '../../agent/index.ts'
import { formatDate } from '../../manifests/dates.ts'
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
  const explanation = await explainUpdate(await settingsOf(options), await depsFor(false, signal))
  printResult(options.json, explanation, linesOf(explanation))
}

function linesOf(explanation: Explanation): string[] {
  const { running, isOnTrial, release, rollout, decision, percentCap, windows, quarantine } = explanation
  const cap = percentCap < 100 ? `, as this host takes part up to ${percentCap} %` : ''
  return [
    `running   ${running ?? 'nothing'}${isOnTrial ? ', on probation: no update until that is over' : ''}`,
    `offered   ${release.version} of ${release.release_date}, sequence ${rollout.sequence}, good until ${rollout.expires}`,
    `mode      ${modeText(explanation)}`,
    `bucket    ${decision.bucket} of 10000; open for ${decision.percent} % now${cap}${rollout.paused === true ? ', but paused' : ''}`,
    ...rollout.stages.map(({ at, percent }) => `stage     ${percent} % from ${at}`),
    ...windows.map((window) => `window    ${windowText(window)}`),
    ...approvalLines(explanation),
    ...quarantine.map(({ version, reason, at }) => `failed    ${version} (${reason}, ${at}): not tried again`),
    `decision  ${decisionText(explanation)}`,
  ]
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

function windowText({ start, end, days, timezone, isOpen, opensAt }: WindowState): string {
  const state = isOpen ? 'open' : `closed${opensAt === undefined ? '' : `, opens at ${opensAt}`}`
  return `${start} to ${end} ${days === undefined ? 'every day' : days.join(', ')}, ${timezone}: ${state}`
}

function approvalLines({ approval: { isNeeded, isGiven }, release }: Explanation): string[] {
  if (!isNeeded) return []
  return [`approval  ${isGiven ? 'given' : `needed: moult agent approve ${release.version}`}`]
}

function decisionText({ decision }: Explanation): string {
  const reason = 'reason' in decision ? `: ${decision.reason}` : ''
  const isOpenEnded = decision.kind !== 'wait' || decision.untilMs === undefined
  return `${decision.kind}${reason}${isOpenEnded ? '' : ` until ${formatDate(decision.untilMs)}`}`
}
