import { resolve } from 'node:path'
import type { Command } from 'commander'

import { isMoultError, MoultError } from '../manifests/errors.ts'
import type { HistoryResult, KnownFloor, Publisher, VerifyOptions, VerifyResult } from '../release/index.ts'
import { hooksText } from './describe-release.ts'
import { historyLines } from './history-text.ts'
import { formatSize, printable, printResult } from './print-result.ts'
import { showProgress } from './progress.ts'
import { reportError } from './report-error.ts'
import { runCommand } from './run-command.ts'

interface Options {
  root?: string
  channel?: string
  baseUrl?: string
  atLeast?: string
  remember?: string
  history?: boolean
  limit?: string
  config?: string
  json?: boolean
}

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('check everything published, as an agent would; tells a hostile change from an old copy')
    .argument('[place]', 'a URL or a folder; default: where the configuration publishes')
    .option('--root <file>', 'the root document to trust; default: of the configuration')
    .option('--channel <name>', 'default: of the configuration, or stable')
    .option('--base-url <url>', 'for a folder: what its absolute URLs begin with')
    .option('--at-least <sequence>', 'refuse a manifest that is older than this')
    .option('--remember <file>', 'refuse what is older than the last check saw, and remember this one')
    .option('--history', 'instead of the files, check every manifest of the channel, and say who did what and when')
    .option('--limit <n>', 'with --history: no more than the last n manifests')
    .option('--config <file>', 'default: moult.config.json')
    .option('--json', 'print one JSON object')
    .action((place: string | undefined, options: Options) =>
      runCommand(options, (signal) => runVerify(place, options, signal)),
    )
}

async function runVerify(place: string | undefined, options: Options, signal: AbortSignal): Promise<number> {
  const { DEFAULT_ROOT_FILE, openPublisher, readConfig, readRoots, verifyHistory, verifyPublished } =
    await import('../release/index.ts')
  // With a place and a root no configuration is needed: anyone can check what anyone publishes.
  const isOptional = place !== undefined && options.root !== undefined && options.config === undefined
  const loaded = await readConfig(options.config).catch((error: unknown) => {
    if (!isMoultError(error) || error.code !== 'ERR_CONFIG_MISSING' || options.config !== undefined) throw error
    if (isOptional) return undefined
    throw place === undefined ? error : withoutRoot(error)
  })
  const inProject = (path: string): string => resolve(loaded?.dir ?? '.', path)
  const roots = await readRoots(options.root ?? inProject(loaded?.config.root ?? DEFAULT_ROOT_FILE), undefined)
  const own = loaded && (await openPublisher(loaded.config, loaded.dir, { signal }))
  const from = place ?? loaded?.config.publish?.url ?? own
  if (from === undefined) throw new MoultError('ERR_BUG', 'no place to verify')
  const label = typeof from === 'string' ? from : from.target
  const channel = options.channel ?? loaded?.config.channel
  const atLeast = wholeOf('at-least', 'a sequence', options.atLeast)
  const limit = wholeOf('limit', 'a number', options.limit)
  const progress = showProgress()
  try {
    const newest = roots.at(-1) ?? roots[0]
    const isOwn = from === own || own?.target === resolve(label)
    const known = own === undefined || isOwn ? undefined : await floorOf(own, roots[0], channel)
    const what: VerifyOptions = {
      place: from,
      root: roots[0],
      ...(channel === undefined ? {} : { channel }),
      baseUrl: options.baseUrl ?? loaded?.config.baseUrl,
      remember: options.remember,
      known:
        atLeast === undefined || (known !== undefined && known.sequence >= atLeast)
          ? known
          : { root: known?.root ?? newest, sequence: atLeast },
    }
    if (options.history === true) {
      const history = await verifyHistory({ ...what, limit }, { on: progress.on, signal })
      progress.end()
      return await reportHistory(history, label, options)
    }
    const result = await verifyPublished(what, { on: progress.on, signal })
    progress.end()
    printVerified(label, result, options)
    return 0
  } catch (error) {
    signal.throwIfAborted()
    return await reportFinding(error, label, options)
  } finally {
    progress.end()
  }
}

function withoutRoot({ code, message, details }: MoultError): MoultError {
  const hint = 'Outside a project, name the root document that its agents pin: --root <file>.'
  return new MoultError(code, message, { hint, details })
}

function printVerified(from: string, result: VerifyResult, options: Options): void {
  const { name, version, channel, sequence, expires, files, hooks, warnings } = result
  for (const { text } of warnings) console.error(`warning: ${text}`)
  const size = formatSize(files.reduce((sum, file) => sum + file.size, 0))
  printResult(options.json, { kind: 'verified', finding: 'sound', place: from, ...result }, [
    `Verified ${name} ${version} on ${channel} in ${from}`,
    `Sequence ${sequence}, good until ${expires}; ${files.length} files, ${size}`,
    ...hooksText(hooks),
  ])
}

/** What is newer than a break is told all the same. */
async function reportHistory(result: HistoryResult, place: string, options: Options): Promise<number> {
  const { end, ...told } = result
  const lines = historyLines(result)
  if (end.kind !== 'broken') {
    const whole = { kind: 'verified', finding: 'sound', place, ...told, end: end.kind }
    printResult(options.json, whole, [
      `Verified the history of ${result.name} on ${result.channel} in ${place}`,
      ...lines,
    ])
    return 0
  }
  if (options.json !== true) console.log(lines.map(printable).join('\n'))
  return reportFinding(end.error, place, options, { ...told, end: end.kind })
}

/** The code is for programs, the finding for the person who has to do something. */
async function reportFinding(error: unknown, place: string, { json = false }: Options, more = {}): Promise<number> {
  const { diagnose } = await import('../release/index.ts')
  const diagnosis = isMoultError(error) ? diagnose(error) : undefined
  if (diagnosis === undefined || !isMoultError(error)) throw error
  const { finding, meaning, advice } = diagnosis
  if (json) {
    console.log(JSON.stringify({ kind: 'refused', finding, meaning, advice, place, error, ...more }))
    return error.exitCode
  }
  const exit = reportError(error, false)
  console.error(`finding: ${finding}. ${meaning}\nto do: ${advice}`)
  return exit
}

/** What the project itself published last is the newest that anyone can serve. A damaged place is another matter. */
async function floorOf(own: Publisher, root: KnownFloor['root'], channel = 'stable'): Promise<KnownFloor | undefined> {
  const { readLive } = await import('../release/index.ts')
  const live = await readLive(own, root, channel).catch((error: unknown) => {
    console.error(`warning: not compared with what this project published: ${(error as Error).message}`)
    return undefined
  })
  if (live === undefined) return undefined
  const { rollout, rolloutDigest } = live.manifest
  return { root: live.root, sequence: rollout.sequence, digest: rolloutDigest }
}

function wholeOf(option: string, what: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= Number.MAX_SAFE_INTEGER) return number
  throw new MoultError('ERR_USAGE_INVALID', `--${option}: expected ${what} of at least 1, got ${JSON.stringify(text)}`)
}
