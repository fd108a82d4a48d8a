import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Command, Option } from 'commander'

import { SERVICE_KINDS, type ServiceFile, type ServiceKind } from '../../agent/install/service-files.ts'
import type { InstallResult, SettingsFile } from '../../agent/index.ts'
import { MoultError } from '../../manifests/errors.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, homeOf, type HomeOptions, withHomeOptions } from './home-options.ts'
import { programVersion } from './program-version.ts'

interface Options extends HomeOptions {
  root?: string
  interval?: string
  probation?: string
  tries?: string
  healthUrl?: string
  program?: string
  programVersion?: string
  unit?: ServiceKind
  write?: string | true
  user?: string
  supervised?: boolean
}

export function registerAgentInstall(agent: Command): void {
  withHomeOptions(agent.command('install'))
    .description('lay out a home with its launcher, and install the first version from the update server')
    .argument('[args...]', 'arguments for the agent, put into the unit')
    .requiredOption('--root <file>', 'the root document to pin: trust/1.root.json of the project')
    .option('--interval <time>', 'time between polls, e.g. 5m')
    .option('--probation <time>', 'how long a new version must stay healthy, e.g. 1m')
    .option('--tries <n>', 'starts of a version on trial before it is rolled back')
    .option('--health-url <url>', 'probe that must answer 2xx during probation')
    .option('--program <file>', 'take this program as the first version instead of what the server offers')
    .option('--program-version <version>', 'version of that program; default: what `<program> --version` says')
    .addOption(new Option('--unit <kind>', 'print the file that a supervisor needs').choices([...SERVICE_KINDS]))
    .option('--write [path]', 'write that file, to its usual place or to a path, instead of printing it')
    .option('--user <name>', 'user that the unit runs the agent as')
    .option('--supervised', 'the agent knows nothing of updates: let `moult agent run` start it, not the launcher')
    .action((args: string[], options: Options) => runCommand(options, (signal) => install(args, options, signal)))
}

async function install(args: readonly string[], options: Options, signal: AbortSignal): Promise<void> {
  const { installAgent, serviceFile } = await import('../../agent/index.ts')
  const result = await installAgent(
    {
      home: homeOf(options),
      root: options.root ?? '',
      settings: settingsFileOf(options),
      ...(options.program === undefined ? {} : { program: programOf(options.program, options.programVersion) }),
      env: process.env,
    },
    await depsFor(false, signal),
  )
  const { name, home } = result
  const supervisor = options.supervised === true ? supervisorWords(options.unit, result, args) : undefined
  const command = supervisor === undefined ? result.launcher : supervisor.join(' ')
  const unit = options.unit && serviceFile(options.unit, { name, home, user: options.user, args, supervisor })
  const written = unit === undefined ? undefined : writeUnit(unit, options.write)
  printResult(options.json, { kind: 'installed', ...result, ...(unit && { unit }), ...(written && { written }) }, [
    `Installed ${name} ${result.version} in ${home}`,
    ...(unit === undefined ? [`Let a supervisor run ${command}, and start it again whenever it ends`] : []),
    ...(written === undefined ? [] : [`Wrote ${written}`]),
    ...(unit === undefined || written !== undefined ? [] : [`For ${unit.path}:`, '', unit.text.trimEnd()]),
  ])
}

/** `moult agent run` by full paths, as a service has no PATH of a user; in a pod only its image knows the paths. */
function supervisorWords(
  unit: ServiceKind | undefined,
  { name, home }: InstallResult,
  args: readonly string[],
): string[] {
  const moult = unit === 'pod' ? ['moult'] : [process.execPath, resolve(process.argv[1] ?? 'moult')]
  // Before arguments of the program there must be a program; it counts only while nothing is installed.
  return [...moult, 'agent', 'run', '--home', home, ...(args.length === 0 ? [] : ['--', name])]
}

function programOf(program: string, version: string | undefined): { path: string; version: string } {
  const path = resolve(program)
  return { path, version: version ?? programVersion(path) }
}

function settingsFileOf(options: Options): SettingsFile {
  const server = options.server ?? process.env['UPDATE_SERVER']
  if (server === undefined) {
    throw new MoultError('ERR_USAGE_INVALID', 'no update server is given', { hint: 'Name it with --server <url>.' })
  }
  const { channel, interval, probation, tries, healthUrl } = options
  return {
    server,
    ...(channel === undefined ? {} : { channel }),
    ...(interval === undefined ? {} : { interval }),
    ...(probation === undefined ? {} : { probation }),
    ...(tries === undefined ? {} : { tries: Number(tries) }),
    ...(healthUrl === undefined ? {} : { health: { url: healthUrl } }),
  }
}

function writeUnit(unit: ServiceFile, where: string | true | undefined): string | undefined {
  if (where === undefined) return undefined
  const path = where === true ? unit.path : where
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, unit.text, { mode: unit.mode })
  return path
}
