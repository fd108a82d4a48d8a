import type { Command } from 'commander'

import type { AgentStatus, LastCheck } from '../../agent/index.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

export function registerAgentStatus(agent: Command): void {
  withHomeOptions(agent.command('status'))
    .description('what is installed, on probation and quarantined; asks no server')
    .action((options: HomeOptions) => runCommand(options, () => status(options)))
}

async function status(options: HomeOptions): Promise<void> {
  const { agentStatus } = await import('../../agent/index.ts')
  const result = agentStatus(await settingsOf(options))
  printResult(options.json, result, linesOf(result))
}

function linesOf({
  name,
  channel,
  server,
  record,
  installed,
  quarantine,
  sequence,
  rootVersion,
  lastCheck,
}: AgentStatus): string[] {
  const trial =
    record?.trial === undefined ? '' : `, on probation (try ${record.trial.started} of ${record.trial.tries})`
  return [
    `${name} ${record?.version ?? 'not installed'}${trial}`,
    `  previous    ${record?.previous ?? 'none'}`,
    `  on disk     ${installed.join(', ')}`,
    `  follows     ${channel} at ${server}, sequence ${sequence}, root ${rootVersion}`,
    `  checked     ${lastCheck === undefined ? 'never' : checkText(lastCheck)}`,
    ...quarantine.map(({ version, reason, at }) => `  quarantined ${version} (${reason}, ${at})`),
  ]
}

function checkText({ at, outcome, code, since }: LastCheck): string {
  return `${at}: ${outcome}${code === undefined ? '' : ` (${code})`}${since === at ? '' : `, since ${since}`}`
}
