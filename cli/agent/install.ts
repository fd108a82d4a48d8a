import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'

import { SERVICE_KINDS, type ServiceFile, type ServiceKind } from '../../agent/install/service-files.ts'
import { podHome } from '../../agent/install/units/pod.ts'
import type { AgentEvent, InstallResult, SettingsFile } from '../../agent/index.ts'
import { MoultError } from '../../manifests/errors.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, homeOf, type HomeOptions, withHomeOptions } from './home-options.ts'
import { firstProgram } from './program-version.ts'

interface Options extends HomeOptions {
  root?: string
  interval?: string
  label?: Record<string, string>
  pin?: string
  probation?: string
  tries?: string
  beacon?: boolean
  deltas?: boolean
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
    .option(
      '--root <file>',
      'the root document to pin: trust/1.root.json of the project; default: the one that is pinned',
    )
    .option('--interval <time>', 'time between polls, e.g. 5m')
    .option(
      '--label <name=value>',
      'what this machine is called in the rules of a rollout; may be repeated',
      labelOption,
    )
    .option('--pin <versions>', 'the versions that may run here, e.g. 1.4.2 or <2.0.0')
    .option('--probation <time>', 'how long a new version must stay healthy, e.g. 1m')
    .option('--tries <n>', 'starts of a version on trial before it is rolled back')
    // The first of the two must be this one, or the other makes it the default.
    .option('--beacon', 'polls say who polls, in which state, and what has happened: as before --no-beacon')
    .option('--no-beacon', 'they do not')
    .option('--deltas', 'updates may come as a patch to what is installed: as before --no-deltas')
    .option('--no-deltas', 'they come whole')
    .option('--health-url <url>', 'probe that must answer 2xx during probation')
    .option('--program <file>', 'take this program as the first version instead of what the server offers')
    .option('--program-version <version>', 'version of that program; default: what `<program> --version` says')
    .addOption(
      new Option('--unit <kind>', 'print the file that a supervisor needs, and nothing else on stdout').choices([
        ...SERVICE_KINDS,
      ]),
    )
    .option('--write [path]', 'write that file, to its usual place or to a path, instead of printing it')
    .option('--user <name>', 'user that the unit runs the agent as; as root: the home is given to that user')
    .option('--supervised', 'the agent knows nothing of updates: let `moult agent run` start it, not the launcher')
    .action((args: string[], options: Options) => runCommand(options, (signal) => install(args, options, signal)))
}

async function install(args: readonly string[], options: Options, signal: AbortSignal): Promise<void> {
  const { homeOwner, installAgent, serviceFile } = await import('../../agent/index.ts')
  const deps = await depsFor(false, signal)
  const result = await installAgent(
    {
      home: homeOf(options),
      root: options.root,
      settings: settingsOf(options),
      owner: options.user === undefined ? undefined : await homeOwner(options.user),
      ...(options.program === undefined ? {} : { program: firstProgram(options.program, options.programVersion) }),
      env: process.env,
    },
    deps,
  )
  const { name, home } = result
  const supervisor = options.supervised === true ? supervisorWords(options.unit, result, args) : undefined
  // Node and Moult.
  for (const path of supervisor?.slice(0, 2) ?? []) if (isPassingPlace(path)) deps.emit(passingPlaceWarning(path))
  const command = supervisor === undefined ? result.launcher : supervisor.join(' ')
  const unit = options.unit && serviceFile(options.unit, { name, home, user: options.user, args, supervisor })
  const written = unit === undefined ? undefined : writeUnit(unit, options.write)
  const lines = [
    `Installed ${name} ${result.version} in ${home}`,
    ...(unit === undefined ? [`Let a supervisor run ${command}, and start it again whenever it ends`] : []),
    ...(written === undefined ? [] : [`Wrote ${written}`]),
  ]
  const isUnitOnly = unit !== undefined && written === undefined
  // So that `> sensor.service` gives a unit.
  if (isUnitOnly && options.json !== true)
    console.error([...lines, ...besideLines(unit), `For ${unit.path}:`].join('\n'))
  printResult(
    options.json,
    { kind: 'installed', ...result, ...(unit && { unit }), ...(written && { written }) },
    isUnitOnly ? [unit.text.trimEnd()] : lines,
  )
}

/** `moult agent run` by full paths, as a service has no PATH of a user; in a pod only its image knows the paths. */
function supervisorWords(
  unit: ServiceKind | undefined,
  { name, home }: InstallResult,
  args: readonly string[],
): string[] {
  const isPod = unit === 'pod'
  const moult = isPod ? ['moult'] : [process.execPath, resolve(process.argv[1] ?? 'moult')]
  // Before arguments of the program there must be a program; it counts only while nothing is installed.
  return [...moult, 'agent', 'run', '--home', isPod ? podHome(name) : home, ...(args.length === 0 ? [] : ['--', name])]
}

/** Inside a project or the cache of npx; what `npm install --global` made lies below `lib`, or is a link elsewhere. */
function isPassingPlace(path: string): boolean {
  return /(?<![/\\]lib)[/\\]node_modules[/\\]/.test(path) || /[/\\]_npx[/\\]/.test(path)
}

function passingPlaceWarning(path: string): AgentEvent {
  const message = `the service would run ${path}, which goes when that project or cache does: it must be a stable place, such as one of \`npm install --global moult\``
  return { kind: 'warning', message }
}

function labelOption(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new MoultError('ERR_USAGE_INVALID', `--label: expected <name>=<value>, got ${JSON.stringify(text)}`)
  return { ...before, [name]: value }
}

/** What the call names; the rest stays as it was. */
function settingsOf({
  server,
  channel,
  interval,
  label,
  pin,
  probation,
  tries,
  beacon,
  deltas,
  healthUrl,
}: Options): Partial<SettingsFile> {
  const from = server ?? (process.env['UPDATE_SERVER'] || undefined)
  return {
    ...(from === undefined ? {} : { server: from }),
    ...(channel === undefined ? {} : { channel }),
    ...(interval === undefined ? {} : { interval }),
    ...(label === undefined ? {} : { labels: label }),
    ...(pin === undefined ? {} : { pin }),
    ...(probation === undefined ? {} : { probation }),
    ...(tries === undefined ? {} : { tries: Number(tries) }),
    ...(beacon === undefined ? {} : { beacon }),
    ...(deltas === undefined ? {} : { deltas }),
    ...(healthUrl === undefined ? {} : { health: { url: healthUrl } }),
  }
}

function writeUnit(unit: ServiceFile, where: string | true | undefined): string | undefined {
  if (where === undefined) return undefined
  const path = where === true ? unit.path : where
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, unit.text, { mode: unit.mode })
  for (const [name, text] of Object.entries(unit.beside ?? {})) writeFileSync(join(dirname(path), name), text)
  return path
}

function besideLines({ beside = {} }: ServiceFile): string[] {
  return Object.entries(beside).map(([name, text]) => `Beside it a file ${name} has to say ${text.trim()}`)
}
