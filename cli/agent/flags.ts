import type { Command } from 'commander'

import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

export function registerAgentFlags(agent: Command): void {
  withHomeOptions(agent.command('flags'))
    .description('the feature flags of this agent, by the last manifest that verified; asks no server')
    .action((options: HomeOptions) => runCommand(options, () => flags(options)))
}

async function flags(options: HomeOptions): Promise<void> {
  const { installedRecord, lastFlags } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  const told = lastFlags(settings, installedRecord(settings.home)?.version)
  const lines = Object.entries(told?.flags ?? {}).map(([name, value]) => `${name} = ${value}`)
  const none = told === undefined ? 'No manifest was verified here yet' : 'This agent has no flags'
  printResult(options.json, { kind: 'flags', flags: {}, ...told }, lines.length === 0 ? [none] : lines)
}
