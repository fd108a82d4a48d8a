// What is counted beside the agents: how many lines of which kind, and what could not be read.

export const EXAMPLES_MAX = 5
const EXAMPLE_CHARS = 200

export interface LineExample {
  readonly source: string
  /** The first line of a file is 1. */
  readonly line: number
  /** Printable ASCII only; other bytes as `\xhh`. */
  readonly text: string
}

export interface DamagedSource {
  readonly source: string
  /** What was read before the damage counts. */
  readonly reason: string
}

export interface LogCounts {
  sources: number
  lines: number
  /** Requests for a manifest by agents. */
  polls: number
  /** Those of agents whose owner has switched the beacon off. They have no id, so they cannot be counted by agent. */
  anonymousPolls: number
  /** Requests for a manifest by something that is no agent of ours. */
  foreignPolls: number
  /** Requests for files below `bin/`. */
  downloads: number
  otherRequests: number
  /** Requests before `since` or after `until`; they count nowhere else. */
  outsideRange: number
  malformed: number
  /** Beacons that were not counted because the log names too many different things. */
  refused: number
  pollBytes: number
  downloadBytes: number
  /** Milliseconds; undefined where no request was read. */
  oldestMs: number | undefined
  newestMs: number | undefined
  /** By the start of the hour in milliseconds. */
  readonly pollsByHour: Map<number, number>
  readonly pollsByStatus: Map<number, number>
  readonly anonymousByVersion: Map<string, number>
  examples: LineExample[]
  damaged: DamagedSource[]
}

export function emptyCounts(): LogCounts {
  return {
    sources: 0,
    lines: 0,
    polls: 0,
    anonymousPolls: 0,
    foreignPolls: 0,
    downloads: 0,
    otherRequests: 0,
    outsideRange: 0,
    malformed: 0,
    refused: 0,
    pollBytes: 0,
    downloadBytes: 0,
    oldestMs: undefined,
    newestMs: undefined,
    pollsByHour: new Map(),
    pollsByStatus: new Map(),
    anonymousByVersion: new Map(),
    examples: [],
    damaged: [],
  }
}

/** Adds `more` to `counts`; the order of such additions does not matter. */
export function addCounts(counts: LogCounts, more: LogCounts): void {
  counts.sources += more.sources
  counts.lines += more.lines
  counts.polls += more.polls
  counts.anonymousPolls += more.anonymousPolls
  counts.foreignPolls += more.foreignPolls
  counts.downloads += more.downloads
  counts.otherRequests += more.otherRequests
  counts.outsideRange += more.outsideRange
  counts.malformed += more.malformed
  counts.refused += more.refused
  counts.pollBytes += more.pollBytes
  counts.downloadBytes += more.downloadBytes
  counts.oldestMs = bound(Math.min, counts.oldestMs, more.oldestMs)
  counts.newestMs = bound(Math.max, counts.newestMs, more.newestMs)
  addAll(counts.pollsByHour, more.pollsByHour)
  addAll(counts.pollsByStatus, more.pollsByStatus)
  addAll(counts.anonymousByVersion, more.anonymousByVersion)
  counts.examples = [...counts.examples, ...more.examples].sort(byPlace).slice(0, EXAMPLES_MAX)
  counts.damaged = [...counts.damaged, ...more.damaged].sort((a, b) => compareText(a.source, b.source))
}

export function addTo<K>(map: Map<K, number>, key: K, count: number): void {
  map.set(key, (map.get(key) ?? 0) + count)
}

/** What a terminal, a page or a table may show of a line that strangers wrote. */
export function cleanExample(bytes: Buffer): string {
  const text = bytes.toString('latin1', 0, EXAMPLE_CHARS).replace(/[^\x20-\x7e]/g, escapeByte)
  return bytes.length > EXAMPLE_CHARS ? `${text}...` : text
}

function escapeByte(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

function addAll<K>(map: Map<K, number>, more: ReadonlyMap<K, number>): void {
  for (const [key, count] of more) addTo(map, key, count)
}

function bound(pick: (a: number, b: number) => number, a: number | undefined, b: number | undefined) {
  return a === undefined || b === undefined ? (a ?? b) : pick(a, b)
}

function byPlace(a: LineExample, b: LineExample): number {
  return compareText(a.source, b.source) || a.line - b.line
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
