import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'

import type { AlertLimits, FleetFigures, LogFormat, ReportOptions, RolloutView } from '../../fleet/index.ts'
import {
  MoultError,
  parseDate,
  parseDuration,
  parseStrictJson,
  rolloutShape,
  versionShape,
} from '../../manifests/index.ts'
import { ShapeMismatch } from '../../manifests/shape.ts'

/** Which lines are read. */
export interface SourceOptions {
  since?: number
  until?: number
  format?: LogFormat
  json?: boolean
}

/** What the commands that show the fleet take. */
export interface LogOptions extends SourceOptions {
  name?: string
  channel?: string
  offered?: string
  interval?: number
  stuckAfter?: number
  silentAfter?: number
  ids?: string
  manifest?: string
  maxFailureRate?: number
  minAgents?: number
  maxStuck?: number
  maxSilent?: number
  maxAge?: number
}

/** So many polls that did not come make an agent silent. */
const SILENT_POLLS = 96

// Said again in fleet/formats/log-line.ts, which is loaded when it is needed.
const FORMATS: readonly LogFormat[] = ['cloudfront', 'cloudfront-json', 's3', 'combined', 'caddy']

export function withSourceOptions(command: Command): Command {
  return command
    .argument('<logs...>', 'access logs: files, folders, patterns, `-`, or s3://bucket/prefix; plain or gzip')
    .option('--since <time>', 'from when on: a date, or how long ago, e.g. 7d', parseTime)
    .option('--until <time>', 'up to when', parseTime)
    .addOption(new Option('--format <name>', 'of the logs; default: what the first lines look like').choices(FORMATS))
}

export function withLogOptions(command: Command): Command {
  return withSourceOptions(command)
    .option('--name <name>', 'the agent, where the logs hold several; default: the most frequent')
    .option('--channel <name>', 'one line of releases alone')
    .option('--offered <version>', 'what agents should run; default: the newest that one of them runs')
    .option(
      '--manifest <file>',
      'a copy of version.json: what is offered, and its stages; its signatures are not checked',
    )
    .option(
      '--interval <duration>',
      `how often agents poll; without ${SILENT_POLLS} polls in a row they are silent`,
      parseSpan,
    )
    .option('--stuck-after <duration>', 'seen, and so long on an old version; default: 48h', parseSpan)
    .option('--silent-after <duration>', 'not seen for so long; default: 8h', parseSpan)
    .option('--ids <file>', 'agent ids, one a line, each with a name: tables then show that in place of pseudonyms')
    .option('--max-failure-rate <percent>', 'alert above; default: 5', parseShare)
    .option('--min-agents <n>', 'fewer that tried a version give no failure rate; default: 5', parseCount)
    .option('--max-stuck <n>', 'alert above; default: 0', parseCount)
    .option('--max-silent <percent>', 'alert above; default: 10', parseShare)
    .option('--max-age <duration>', 'alert when the newest line is older; default: 24h', parseSpan)
}

export interface FleetReading {
  readonly figures: FleetFigures
  readonly options: ReportOptions
}

/** Reads the logs. @param nowMs the clock of this machine, to which the age of the logs is counted */
export async function readFleet(
  logs: readonly string[],
  given: LogOptions,
  nowMs: number,
  signal: AbortSignal,
): Promise<FleetReading> {
  const fleet = await import('../../fleet/index.ts')
  const { since: sinceMs, until: untilMs, name, channel, interval } = given
  const manifest = given.manifest === undefined ? undefined : await readManifest(given.manifest)
  const stuckAfterMs = given.stuckAfter ?? fleet.STUCK_AFTER_MS
  const silentAfterMs = given.silentAfter ?? (interval === undefined ? fleet.SILENT_AFTER_MS : interval * SILENT_POLLS)
  // Before the logs: an hour of reading should not end at a file that is not there.
  const ids = given.ids === undefined ? undefined : await readText(given.ids)
  const result = await fleet.readLogs(logs, { sinceMs, untilMs, format: given.format, signal })
  const offered = given.offered ?? manifest?.version
  const figures = fleet.fleetFigures(result, { name, channel, offered, nowMs: untilMs, stuckAfterMs, silentAfterMs })
  const rollout = given.offered === undefined || given.offered === manifest?.version ? manifest?.rollout : undefined
  return {
    figures,
    options: {
      limits: limitsOf(given, fleet.ALERT_LIMITS),
      stuckAfterMs,
      silentAfterMs,
      clockMs: untilMs ?? nowMs,
      ...(ids === undefined ? {} : { names: fleet.readAgentNames(ids, figures.name) }),
      ...(rollout === undefined ? {} : { rollout }),
    },
  }
}

function limitsOf(given: LogOptions, usual: AlertLimits): AlertLimits {
  return {
    maxFailureRate: given.maxFailureRate ?? usual.maxFailureRate,
    minAgents: given.minAgents ?? usual.minAgents,
    maxStuck: given.maxStuck ?? usual.maxStuck,
    maxSilentShare: given.maxSilent ?? usual.maxSilentShare,
    maxAgeMs: given.maxAge ?? usual.maxAgeMs,
  }
}

/** Of what is published, as far as the figures need it. */
async function readManifest(path: string): Promise<{ version: string; rollout: RolloutView }> {
  const document = parseStrictJson(Buffer.from(await readText(path))) as { version?: unknown; rollout?: unknown }
  try {
    const { stages, paused } = rolloutShape.check(document.rollout, 'rollout')
    const version = versionShape.check(document.version, 'version')
    const view = stages.map(({ at, percent }) => ({ atMs: parseDate(at) ?? Number.NaN, percent }))
    return { version, rollout: { stages: view, isPaused: paused === true } }
  } catch (cause) {
    if (!(cause instanceof ShapeMismatch)) throw cause
    throw new MoultError('ERR_MANIFEST_SCHEMA', `${path}: ${cause.message}`, { cause })
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw new MoultError('ERR_CONFIG_MISSING', `cannot read ${path} (${code})`, { cause })
  }
}

function parseTime(text: string): number {
  const agoMs = parseDuration(text)
  if (agoMs !== undefined) return Date.now() - agoMs
  const timeMs = parseDate(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
  if (timeMs !== undefined) return timeMs
  throw new InvalidArgumentError(
    'expected a date such as 2026-11-21 or 2026-11-21T02:00:00Z, or how long ago, such as 7d',
  )
}

export function parseSpan(text: string): number {
  const spanMs = parseDuration(text)
  if (spanMs !== undefined && spanMs > 0) return spanMs
  throw new InvalidArgumentError('expected a duration such as 30s, 5m or 48h')
}

export function parseShare(text: string): number {
  const percent = /^\d{1,3}(?:\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (percent <= 100) return percent / 100
  throw new InvalidArgumentError('expected a percentage from 0 to 100')
}

function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number')
}
