import { resolve } from 'node:path'
import type { Command } from 'commander'

import type { Settings } from '../../agent/index.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, type HomeOptions, overridesOf, settingsOf, withHomeOptions } from './home-options.ts'
import { programVersion } from './program-version.ts'

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
  const { supervise } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  if (program !== undefined) await adoptFirst(settings, program, options)
  const { emit } = await depsFor(options.json === true, signal)
  return supervise({ settings, overrides: overridesOf(options), args, onEvent: emit, signal, env: process.env })
}

/** An empty home starts with the program that the command line names. */
async function adoptFirst(settings: Settings, program: string, options: Options): Promise<void> {
  const { adoptProgram, installedRecord, withLock } = await import('../../agent/index.ts')
  if (installedRecord(settings.home) !== undefined) return
  const path = resolve(program)
  const version = options.programVersion ?? programVersion(path)
  await withLock(settings.home, () => adoptProgram(settings.home, settings.root.name, version, path))
}
