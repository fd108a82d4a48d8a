import type { Command } from 'commander'

import type { AgentEvent, OnceResult } from '../../agent/index.ts'
import type { Decision } from '../../manifests/decide.ts'
import { EXIT_UPDATED, MoultError } from '../../manifests/errors.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

interface Options extends HomeOptions {
  apply?: boolean
}

export function registerAgentCheck(agent: Command): void {
  withHomeOptions(agent.command('check'))
    .description(
      'poll once; exit status 0 when there is nothing to do, 24 when what is offered is refused, 26 when the last update was rolled back, 100 when one was installed',
    )
    .option('--apply', 'install what the poll finds')
    .action((options: Options) => runCommand(options, (signal) => check(options, signal)))
}

async function check(options: Options, signal: AbortSignal): Promise<number> {
  const { checkOnce, updateRole } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  const { kind, warning = 'updates are switched off by the settings' } = updateRole(settings)
  if (kind === 'none') {
    printResult(options.json, { kind: 'off', reason: warning }, [`Not checked: ${warning}`])
    return 0
  }
  const deps = await depsFor(false, signal)
  let rolledBack: (AgentEvent & { kind: 'rolled-back' }) | undefined
  const emit = (event: AgentEvent): void => {
    if (event.kind === 'rolled-back' && event.reason !== 'manual') rolledBack = event
    // The result says the same.
    if (event.kind !== 'checked' && event.kind !== 'update-available') deps.emit(event)
  }
  const result = await checkOnce(settings, { apply: options.apply === true }, { ...deps, emit })
  if (result.kind === 'checked' && rolledBack !== undefined) throw rolledBackError(rolledBack)
  printResult(options.json, plain(result), [lineOf(result, kind === 'install')])
  return result.kind === 'swapped' ? EXIT_UPDATED : 0
}

/** Told once, by the first check after it: later ones find the version in the quarantine. */
function rolledBackError({ version, to, reason }: AgentEvent & { kind: 'rolled-back' }): MoultError {
  return new MoultError('ERR_UPDATE_ROLLED_BACK', `failed on probation (${reason}) and was rolled back: ${version}`, {
    details: { version, to, reason },
    hint: `Version ${to} runs. These bytes are not tried again; release a repaired version.`,
  })
}

/** At every check as long as it is offered: whoever runs this by a timer learns that no update arrives. */
function refusedError(result: OnceResult, { version, reason }: Decision & { kind: 'refuse' }): MoultError {
  return new MoultError('ERR_POLICY_REFUSED', `not installed (${reason}): ${version}`, {
    details: plain(result),
    hint: '`moult agent status` and `moult agent explain` say more.',
  })
}

function plain(result: OnceResult): Record<string, unknown> {
  if (result.kind === 'swapped') return { ...result }
  const { manifest } = result
  // As large as a manifest, and told by its version.
  const decision = Object.fromEntries(Object.entries(result.decision).filter(([name]) => name !== 'release'))
  const { sequence } = manifest.rollout
  return { kind: 'checked', offered: manifest.release.version, sequence, decision }
}

/** @throws MoultError ERR_POLICY_REFUSED: that is no result */
function lineOf(result: OnceResult, mayInstall: boolean): string {
  if (result.kind === 'swapped')
    return `Updated to ${result.version}: ${result.isRestarted === true ? 'its restart was asked for' : 'start the agent again'}`
  const { decision, facts } = result
  switch (decision.kind) {
    case 'up-to-date':
      return `Up to date: ${facts.running}`
    case 'install':
      return `Update available: ${decision.version}${mayInstall ? '. Install it with --apply' : ', to be brought by others'}`
    case 'wait':
      return `Waiting with ${decision.version}: ${decision.reason}`
    case 'refuse':
      throw refusedError(result, decision)
  }
}
