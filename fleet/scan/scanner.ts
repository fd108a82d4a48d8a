// Bytes of one log in, rows for the fold and counts out. The path tells polls from the rest; only polls are looked at
// more closely.

import { type Beacon, parseBeacon } from '../../manifests/beacon.ts'
import { detectReader, readerOf } from '../formats/detect.ts'
import { type LineReader, type LogFormat, LogLine, rawText } from '../formats/log-line.ts'
import type { BatchWriter } from './batch.ts'
import { BeaconCache } from './beacon-cache.ts'
import { addTo, cleanExample, emptyCounts, EXAMPLES_MAX, type LogCounts } from './log-counts.ts'
import { LineSplitter } from './split-lines.ts'
import { tailOf } from './tail.ts'

const HOUR_MS = 3_600_000
const QUESTION_MARK = 0x3f
const MANIFEST_NAME = Buffer.from('/version.json')

export interface ScanScope {
  /** Milliseconds, inclusive. */
  readonly sinceMs?: number | undefined
  /** Milliseconds, exclusive. */
  readonly untilMs?: number | undefined
  /** Told by the content of each log by default. */
  readonly format?: LogFormat | undefined
}

/** Whoever wants each poll by itself; all of them are decoded then. */
export type OnPoll = (line: LogLine, beacon: Beacon) => void

export class Scanner {
  readonly counts: LogCounts = emptyCounts()
  readonly #source: string
  readonly #rows: BatchWriter
  readonly #onPoll: OnPoll | undefined
  readonly #sinceMs: number
  readonly #untilMs: number
  readonly #line = new LogLine()
  readonly #cache = new BeaconCache()
  readonly #splitter = new LineSplitter({
    onLine: (bytes, start, end) => this.#readLine(bytes, start, end),
    onLongLine: (bytes) => {
      this.counts.lines++
      this.#complain(bytes)
    },
  })
  readonly #byStatus = new Float64Array(1000)
  #hour = 0
  #pollsOfHour = 0
  #reader: LineReader | undefined
  #oldestMs = Number.POSITIVE_INFINITY
  #newestMs = Number.NEGATIVE_INFINITY

  constructor(source: string, rows: BatchWriter, scope: ScanScope = {}, onPoll?: OnPoll) {
    this.#source = source
    this.#rows = rows
    this.#onPoll = onPoll
    this.#sinceMs = scope.sinceMs ?? Number.NEGATIVE_INFINITY
    this.#untilMs = scope.untilMs ?? Number.POSITIVE_INFINITY
    this.#reader = scope.format === undefined ? undefined : readerOf(scope.format)
    this.counts.sources = 1
  }

  write(chunk: Buffer): void {
    this.#splitter.write(chunk)
  }

  /** @param damage why the log ends early, if it does */
  end(damage?: string): LogCounts {
    this.#splitter.end()
    const { counts } = this
    this.#flushHour()
    for (const [status, count] of this.#byStatus.entries()) if (count > 0) addTo(counts.pollsByStatus, status, count)
    if (this.#newestMs >= this.#oldestMs) {
      counts.oldestMs = this.#oldestMs
      counts.newestMs = this.#newestMs
    }
    if (damage !== undefined) counts.damaged.push({ source: this.#source, reason: damage })
    return counts
  }

  #readLine(bytes: Buffer, start: number, end: number): void {
    this.counts.lines++
    const reader = (this.#reader ??= detectReader(bytes, start, end))
    const line = this.#line
    switch (reader?.read(bytes, start, end, line)) {
      case 'request':
        this.#readRequest(reader)
        break
      case 'ignored':
        break
      case 'malformed':
      case undefined:
        this.#complain(bytes.subarray(start, end))
        break
    }
  }

  #readRequest(reader: LineReader): void {
    const line = this.#line
    const { timeMs } = line
    if (timeMs < this.#sinceMs || timeMs >= this.#untilMs) {
      this.counts.outsideRange++
      return
    }
    if (timeMs < this.#oldestMs) this.#oldestMs = timeMs
    if (timeMs > this.#newestMs) this.#newestMs = timeMs
    if (isManifestRequest(line)) this.#readPoll(reader)
    else if (rawText(line, line.path).includes('/bin/')) {
      this.counts.downloads++
      this.counts.downloadBytes += line.sentBytes
    } else this.counts.otherRequests++
  }

  #readPoll(reader: LineReader): void {
    const line = this.#line
    const { bytes, agent } = line
    const cache = this.#cache
    if (this.#onPoll === undefined && cache.find(bytes, agent.start, agent.end)) {
      this.#rows.addPoll(cache.idHigh, cache.idLow, Math.floor(line.timeMs / 1000), cache.tail)
      this.#countPoll()
      return
    }
    const beacon = parseBeacon(reader.unescape(rawText(line, agent)))
    if (beacon === undefined) {
      this.counts.foreignPolls++
      return
    }
    this.#countPoll()
    this.#onPoll?.(line, beacon)
    if (beacon.id !== undefined) this.#addBeacon(beacon, beacon.id)
    else {
      this.counts.anonymousPolls++
      addTo(this.counts.anonymousByVersion, beacon.version ?? 'none', 1)
    }
  }

  #addBeacon(beacon: Beacon, id: string): void {
    const { bytes, agent, timeMs } = this.#line
    const tail = this.#rows.tailIndex(tailOf(beacon))
    if (tail < 0) {
      this.counts.refused++
      return
    }
    if (beacon.events.length === 0) this.#cache.add(bytes, agent.start, agent.end, id, tail)
    const idHigh = Number.parseInt(id.slice(0, 8), 16)
    const idLow = Number.parseInt(id.slice(8), 16)
    const second = Math.floor(timeMs / 1000)
    this.#rows.addPoll(idHigh, idLow, second, tail)
    for (const event of beacon.events) {
      if (!this.#rows.addEvent(idHigh, idLow, second, event)) this.counts.refused++
    }
  }

  #countPoll(): void {
    const { timeMs, status, sentBytes } = this.#line
    this.counts.polls++
    this.counts.pollBytes += sentBytes
    if (status < 1000) this.#byStatus[status] = (this.#byStatus[status] ?? 0) + 1
    const hour = Math.floor(timeMs / HOUR_MS)
    if (hour !== this.#hour) this.#flushHour()
    this.#hour = hour
    this.#pollsOfHour++
  }

  #flushHour(): void {
    if (this.#pollsOfHour > 0) addTo(this.counts.pollsByHour, this.#hour * HOUR_MS, this.#pollsOfHour)
    this.#pollsOfHour = 0
  }

  #complain(bytes: Buffer): void {
    const { counts } = this
    counts.malformed++
    if (counts.examples.length >= EXAMPLES_MAX) return
    counts.examples.push({ source: this.#source, line: counts.lines, text: cleanExample(bytes) })
  }
}

/** `GET` of `version.json`, of whatever channel and in whatever folder. */
function isManifestRequest({ bytes, method, path }: LogLine): boolean {
  if (method.end - method.start !== 3 || bytes[method.start] !== 0x47) return false
  let end = path.end
  if (bytes[end - 1] !== 0x6e) {
    end = path.start
    while (end < path.end && bytes[end] !== QUESTION_MARK) end++
  }
  const from = end - MANIFEST_NAME.length
  if (from < path.start) return false
  for (let at = 0; at < MANIFEST_NAME.length; at++) if (bytes[from + at] !== MANIFEST_NAME[at]) return false
  return true
}
