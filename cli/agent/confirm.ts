import type { Command } from 'commander'

import { MoultError } from '../../manifests/errors.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

export function registerAgentConfirm(agent: Command): void {
  withHomeOptions(agent.command('confirm'))
    .description('end the probation of the version that runs: it stays')
    .action((options: HomeOptions) => runCommand(options, () => confirm(options)))
}

async function confirm(options: HomeOptions): Promise<void> {
  const { confirmVersion, installedRecord, Journal, withLock } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  await withLock(settings.home, async () => {
    const version = installedRecord(settings.home)?.version ?? ''
    if (!confirmVersion(settings, version)) {
      throw new MoultError('ERR_POLICY_REFUSED', `not on probation: version ${version}`, {
        hint: '`moult agent status` shows what runs.',
      })
    }
    new Journal(settings, { clock: Date.now, emit: () => undefined }).note({ kind: 'confirmed', version })
    printResult(options.json, { kind: 'confirmed', version }, [`Confirmed: ${version}`])
  })
}
