import type { Command } from 'commander'

import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

interface Options extends HomeOptions {
  revoke?: boolean
}

export function registerAgentApprove(agent: Command): void {
  withHomeOptions(agent.command('approve'))
    .description('let the update in that waits for an approval (setting `approval`); polls once')
    .argument('[version]', 'refuse to approve anything but this version')
    .option('--revoke', 'take approvals back instead: those of this version, or all')
    .action((version: string | undefined, options: Options) =>
      runCommand(options, (signal) => (options.revoke === true ? revoke : approve)(version, options, signal)),
    )
}

async function approve(version: string | undefined, options: Options, signal: AbortSignal): Promise<void> {
  const { approveUpdate } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  const deps = await depsFor(false, signal)
  // The result says the same.
  const quiet = { ...deps, emit: () => undefined }
  const approved = await approveUpdate(settings, version, quiet)
  const { needsApproval } = settings.policy
  const lines = [
    `Approved: ${approved.version} (sha256 ${approved.sha256})`,
    ...(needsApproval ? [] : ['Nothing waits for approvals here: the setting `approval` is off']),
  ]
  printResult(options.json, { kind: 'approved', ...approved, isNeeded: needsApproval }, lines)
}

async function revoke(version: string | undefined, options: Options, signal: AbortSignal): Promise<void> {
  const { revokeApprovals } = await import('../../agent/index.ts')
  const versions = await revokeApprovals(await settingsOf(options), version, await depsFor(false, signal))
  const line = versions.length === 0 ? 'There was no such approval' : `Not approved any more: ${versions.join(', ')}`
  printResult(options.json, { kind: 'revoked', versions }, [line])
}
