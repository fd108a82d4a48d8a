import type { Command } from 'commander'

import type { AgentStatus, LastCheck } from '../../agent/index.ts'
import { formatDuration } from '../../manifests/durations.ts'
import { formatSize, printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { historyText } from './history-text.ts'
import { type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

export function registerAgentStatus(agent: Command): void {
  withHomeOptions(agent.command('status'))
    .description('what runs, what is on probation, waits or is quarantined, and the last events; asks no server')
    .action((options: HomeOptions) => runCommand(options, () => status(options)))
}

async function status(options: HomeOptions): Promise<void> {
  const { agentStatus } = await import('../../agent/index.ts')
  const result = agentStatus(await settingsOf(options))
  printResult(options.json, result, linesOf(result))
}

function linesOf(status: AgentStatus): string[] {
  const { name, channel, server, state, record, installed, quarantine, lastCheck, available, history } = status
  return [
    `${name} ${record?.version ?? 'not installed'}${trialText(status)}`,
    `  state       ${state}`,
    `  updates     ${modeText(status)}`,
    `  previous    ${record?.previous ?? 'none'}`,
    `  on disk     ${installed.join(', ')}; ${formatSize(status.bytes)} in all`,
    `  follows     ${channel} at ${server}, sequence ${status.sequence}, root ${status.rootVersion}`,
    `  polls       every ${formatDuration(status.intervalMs)}`,
    `  beacon      ${status.beacon ?? 'none'}`,
    `  checked     ${lastCheck === undefined ? 'never' : checkText(lastCheck)}`,
    ...(available === undefined ? [] : [`  available   ${availableText(available)}`]),
    ...(lastCheck?.isExpiring === true ? [`  expires     ${lastCheck.expires}, and was not renewed yet`] : []),
    ...quarantine.map(({ version, reason, at }) => `  quarantined ${version} (${reason}, ${at})`),
    ...history.map((entry) => `  history     ${historyText(entry)}`),
  ]
}

function modeText({ mode, deployment, role }: AgentStatus): string {
  const does = { install: 'are installed', report: 'are only reported', none: 'are off' }[role.kind]
  return `${does}: mode ${mode}, on a ${deployment.kind} (${deployment.evidence})`
}

function trialText({ record, trialStarted }: AgentStatus): string {
  if (record?.trial === undefined) return ''
  const since = trialStarted === undefined ? '' : `, started ${trialStarted}`
  return `, on probation (try ${record.trial.started} of ${record.trial.tries}${since})`
}

function checkText({ at, outcome, code, version, reason, since, lastSuccess }: LastCheck): string {
  const about = [code ?? version ?? '', reason ?? ''].filter((text) => text !== '').join(', ')
  const sinceText = since === at ? '' : `, since ${since}`
  const successText = lastSuccess === undefined ? '' : `, last good ${lastSuccess}`
  return `${at}: ${outcome}${about === '' ? '' : ` (${about})`}${sinceText}${successText}`
}

function availableText({ version, reason, image }: NonNullable<AgentStatus['available']>): string {
  return `${version}${reason === undefined ? '' : ` (${reason})`}${image === undefined ? '' : `, image ${image}`}`
}
