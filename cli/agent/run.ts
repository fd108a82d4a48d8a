import type { Command } from 'commander'

import type { AgentEvent, Settings } from '../../agent/index.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, type HomeOptions, overridesOf, settingsOf, withHomeOptions } from './home-options.ts'
import { firstProgram } from './program-version.ts'

interface Options extends HomeOptions {
  programVersion?: string
}

export function registerAgentRun(agent: Command): void {
  withHomeOptions(agent.command('run'))
    .description('run a program as a child and keep it up to date')
    .argument('[program]', 'what to run until an update is installed; after that, what is installed runs')
    .argument('[args...]', 'arguments for the program')
    .option('--program-version <version>', 'version of the program; default: what `<program> --version` says')
    .passThroughOptions()
    .action((program: string | undefined, args: string[], options: Options) =>
      runCommand(options, (signal) => run(program, args, options, signal)),
    )
}

async function run(
  program: string | undefined,
  args: string[],
  options: Options,
  signal: AbortSignal,
): Promise<number> {
  const { ownLaunchOf, supervise, superviseAndUpdateSelf } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  const { emit } = await depsFor(options.json === true, signal)
  if (program !== undefined) await adoptFirst(settings, program, options, emit)
  const { env } = process
  const supervised = { settings, overrides: overridesOf(options), args, onEvent: emit, signal, env }
  const own = ownLaunchOf(env, settings.home.path)
  if (own === undefined) return supervise(supervised)
  const { emit: onOwnEvent } = await depsFor(options.json === true, signal, 'moult')
  return superviseAndUpdateSelf({ ...supervised, own, onOwnEvent })
}

/** An empty home starts with the program that the command line names. */
async function adoptFirst(
  settings: Settings,
  program: string,
  options: Options,
  emit: (event: AgentEvent) => void,
): Promise<void> {
  const { adoptProgram, installedRecord, withLock } = await import('../../agent/index.ts')
  const { home, root } = settings
  const installed = installedRecord(home)
  if (installed !== undefined) {
    // A unit of `moult agent install` has the bare name only because arguments need a program before them.
    if (program === root.name) return
    emit({ kind: 'warning', message: `version ${installed.version} is installed and runs; ignored: ${program}` })
    return
  }
  const { path, version } = firstProgram(program, options.programVersion)
  await withLock(home, () => adoptProgram(home, root.name, version, path))
}
