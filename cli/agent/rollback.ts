import type { Command } from 'commander'

import { MoultError } from '../../manifests/errors.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

interface Options extends HomeOptions {
  plan?: boolean
}

export function registerAgentRollback(agent: Command): void {
  withHomeOptions(agent.command('rollback'))
    .description('go back to the previous version at the next start; the present one is not installed again')
    .option('--plan', 'only show what would happen')
    .action((options: Options) => runCommand(options, () => rollBack(options)))
}

async function rollBack(options: Options): Promise<void> {
  const { installedRecord, rollBackVersion, rollbackTarget, withLock } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  await withLock(settings.home, async () => {
    const record = installedRecord(settings.home)
    const version = record?.version ?? ''
    const to = record === undefined ? undefined : rollbackTarget(settings.home, record)
    if (to === undefined) {
      throw new MoultError('ERR_POLICY_REFUSED', `no version to go back to from ${version}`, {
        hint: '`moult agent status` shows what is installed.',
      })
    }
    if (options.plan === true) {
      printResult(options.json, { kind: 'plan', from: version, to }, [`Would go back from ${version} to ${to}`])
      return
    }
    rollBackVersion(settings.home, version, 'manual')
    const line = `Going back from ${version} to ${to} at the next start of the agent`
    printResult(options.json, { kind: 'rolled-back', from: version, to }, [line])
  })
}
