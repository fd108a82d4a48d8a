// `<home>/history.jsonl`: what happened to an agent, one JSON object a line, for people who ask months later. Only told,
// never acted on, so nothing here may fail; a line that was cut off by a crash is passed over. When the file is full the
// older half goes.

import { formatDate, toMoultError } from '../../manifests/index.ts'
import { readIfPossible, replaceFile } from '../home/durable-file.ts'
import type { AgentEvent } from '../events/events.ts'
import type { Home } from '../home/home.ts'

export const HISTORY_MAX_BYTES = 256 * 1024
const TEXT_MAX_CHARS = 500

/** What a line may say. Names are those of the file. */
export interface HistoryFields {
  readonly kind: string
  readonly version?: string | undefined
  /** The version before it, which is kept. */
  readonly previous?: string | undefined
  /** The version that came back. */
  readonly to?: string | undefined
  readonly reason?: string | undefined
  /** Which start of a trial. */
  readonly try?: number | undefined
  /** Of the download: `delta`, its encoding, or `whole`. */
  readonly source?: string | undefined
  /** Of the error. */
  readonly code?: string | undefined
  readonly message?: string | undefined
  /** From the decision to the swap. */
  readonly duration_ms?: number | undefined
  /** Size of the download. */
  readonly bytes?: number | undefined
}

export interface HistoryEntry extends HistoryFields {
  /** RFC 3339 date. */
  readonly time: string
}

type FieldsOf = {
  readonly [Kind in AgentEvent['kind']]: (event: AgentEvent & { kind: Kind }) => HistoryFields | undefined
}

const leftOut = (): undefined => undefined

/**
 * The line of each kind of event: a new kind does not compile without one. Checks are left out, as one in which nothing
 * changed is no news; journal.ts adds those that differ from the one before.
 */
const FIELDS_OF: FieldsOf = {
  started: leftOut,
  checked: leftOut,
  'check-failed': leftOut,
  'update-found': leftOut,
  'update-available': leftOut,
  'flags-changed': leftOut,
  approved: ({ kind, version }) => ({ kind, version }),
  'download-progress': leftOut,
  'download-interrupted': leftOut,
  downloaded: leftOut,
  'download-failed': ({ kind, source, error }) => ({ kind, source, ...errorFields(error) }),
  staged: leftOut,
  swapped: ({ kind, version, previous }) =>
    previous === undefined ? { kind: 'installed', version } : { kind, version, previous },
  trial: ({ kind, version, started }) => ({ kind, version, try: started }),
  confirmed: ({ kind, version }) => ({ kind, version }),
  'hook-done': ({ kind, version, hook, ms }) => ({ kind, version, reason: hook, duration_ms: ms }),
  'hook-failed': ({ kind, version, hook, error }) => ({ kind, version, reason: hook, ...errorFields(error) }),
  'rolled-back': ({ kind, version, to, reason }) => ({ kind, version, to, reason }),
  quarantined: ({ kind, version, reason }) => ({ kind, version, reason }),
  'program-started': leftOut,
  'program-exited': leftOut,
  warning: ({ kind, message }) => ({ kind, message }),
}

export const EVENT_KINDS = Object.keys(FIELDS_OF) as readonly AgentEvent['kind'][]
/** Those that leave a line. */
export const HISTORY_KINDS = EVENT_KINDS.filter((kind) => FIELDS_OF[kind] !== leftOut)

/** The same trouble at every poll is told once, until another version runs. */
const REPEATING: ReadonlySet<string> = new Set(['download-failed', 'warning'])
const TURNS: ReadonlySet<string> = new Set(['installed', 'swapped', 'confirmed', 'rolled-back'])

/** What the history says of an event; undefined when it says nothing. */
export function historyFields(event: AgentEvent): HistoryFields | undefined {
  const fieldsOf: (event: never) => HistoryFields | undefined = FIELDS_OF[event.kind]
  return fieldsOf(event as never)
}

export function errorFields(error: unknown): Pick<HistoryFields, 'code' | 'message'> {
  const { code, message } = toMoultError(error)
  return { code, message }
}

/** @param now milliseconds since 1970 */
export function appendHistory(home: Home, fields: HistoryFields, now: number): void {
  try {
    const line = Buffer.from(`${JSON.stringify(cleaned({ time: formatDate(now), ...fields }))}\n`)
    const old = readIfPossible(home.history, 2 * HISTORY_MAX_BYTES)
    if (REPEATING.has(fields.kind) && isToldAlready(old, line)) return
    if (old !== undefined && (old.length === 0 || old.length + line.length > HISTORY_MAX_BYTES)) {
      return replaceFile(home.disk, home.history, Buffer.concat([newerHalf(old), line]))
    }
    // After a crash in the middle of a line the next one must not become a part of it.
    const isCut = old !== undefined && old.at(-1) !== NEW_LINE
    home.disk.append(home.history, isCut ? Buffer.concat([Buffer.from('\n'), line]) : line, 0o600)
  } catch {
    // A full disk or a read-only home: the work itself says so.
  }
}

/** The last `limit` lines that can be read, newest last. */
export function readHistory(home: Home, limit = Number.POSITIVE_INFINITY): HistoryEntry[] {
  const entries = readLines(readIfPossible(home.history, 2 * HISTORY_MAX_BYTES))
  return entries.slice(Math.max(0, entries.length - limit))
}

const NEW_LINE = 0x0a

function newerHalf(bytes: Buffer): Buffer {
  const start = bytes.indexOf(NEW_LINE, Math.max(0, bytes.length - HISTORY_MAX_BYTES / 2))
  return start === -1 ? Buffer.alloc(0) : bytes.subarray(start + 1)
}

function isToldAlready(old: Buffer | undefined, line: Buffer): boolean {
  const [entry] = readLines(line)
  if (entry === undefined) return false
  const entries = readLines(old)
  const withoutTime = (each: HistoryEntry): string => JSON.stringify({ ...each, time: '' })
  const sinceTurn = entries.slice(entries.findLastIndex(({ kind }) => TURNS.has(kind)) + 1)
  return sinceTurn.some((each) => withoutTime(each) === withoutTime(entry))
}

function readLines(bytes: Buffer | undefined): HistoryEntry[] {
  return (bytes?.toString('utf8') ?? '').split('\n').flatMap((line) => {
    try {
      const entry: unknown = JSON.parse(line)
      return isEntry(entry) ? [cleaned(entry)] : []
    } catch {
      return []
    }
  })
}

function isEntry(value: unknown): value is HistoryEntry {
  if (typeof value !== 'object' || value === null) return false
  const { time, kind } = value as Record<string, unknown>
  return typeof time === 'string' && typeof kind === 'string'
}

/** Numbers and single lines of text: what came from elsewhere, in a message say, MUST NOT steer a terminal. */
function cleaned(entry: HistoryEntry): HistoryEntry {
  const members = Object.entries(entry).flatMap(([name, value]: [string, unknown]): [string, string | number][] => {
    if (!/^[a-z_]{1,32}$/.test(name)) return []
    if (typeof value === 'number') return [[name, value]]
    return typeof value === 'string' ? [[name, singleLine(value)]] : []
  })
  return Object.fromEntries(members) as unknown as HistoryEntry
}

function singleLine(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?').slice(0, TEXT_MAX_CHARS)
}
