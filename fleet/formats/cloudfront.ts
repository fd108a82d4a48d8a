// CloudFront's standard logs as tab-separated text: `#Version`, `#Fields`, then lines. Which fields there are and in
// what order is the choice of the owner, so each `#Fields` says it anew; a file without one has the fields of old.

import { isDash, latin1, type LineReader, type LineVerdict, type LogLine, readNumber, setSpan } from './log-line.ts'
import { readDay, readTimeOfDay } from './log-time.ts'
import { unescapePercent } from './unescape.ts'

const TAB = 0x09
const SPACE = 0x20
const HASH = 0x23

const OTHER = 0
const DATE = 1
const TIME = 2
const BYTES = 3
const REMOTE = 4
const METHOD = 5
const PATH = 6
const STATUS = 7
const AGENT = 8
const EPOCH = 9
const EPOCH_MS = 10

const ROLES: Readonly<Record<string, number>> = {
  date: DATE,
  time: TIME,
  'sc-bytes': BYTES,
  'c-ip': REMOTE,
  'cs-method': METHOD,
  'cs-uri-stem': PATH,
  'sc-status': STATUS,
  'cs(User-Agent)': AGENT,
  timestamp: EPOCH,
  'timestamp(ms)': EPOCH_MS,
}
const FIELDS_OF_OLD =
  'date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)'

export class CloudFrontReader implements LineReader {
  readonly format = 'cloudfront'
  /** By column, as far as the last one that is needed. */
  #roles: number[] = rolesOf(FIELDS_OF_OLD)
  /** The newer delivery lets the owner choose it. Undefined until a line has shown it. */
  #separator: number | undefined

  read(bytes: Uint8Array, start: number, end: number, line: LogLine): LineVerdict {
    if (bytes[start] === HASH) return this.#readHeading(latin1(bytes, start, Math.min(end, start + 4096)))
    const roles = this.#roles
    const separator = (this.#separator ??= bytes.subarray(start, end).includes(TAB) ? TAB : SPACE)
    let dayMs = Number.NaN
    let timeMs = Number.NaN
    line.bytes = bytes
    line.status = line.sentBytes = 0
    line.agent.end = line.agent.start = line.remote.end = line.remote.start = start
    let at = start
    for (let column = 0; column < roles.length; column++) {
      const from = at
      while (at < end && bytes[at] !== separator) at++
      switch (roles[column]) {
        case OTHER:
        case undefined:
          break
        case DATE:
          dayMs = readDay(bytes, from, at)
          break
        case TIME:
          timeMs = readTimeOfDay(bytes, from, at)
          break
        case BYTES:
          line.sentBytes = readNumber(bytes, from, at)
          break
        case STATUS:
          line.status = readNumber(bytes, from, at)
          break
        case METHOD:
          setSpan(line.method, from, at)
          break
        case PATH:
          setSpan(line.path, from, at)
          break
        case AGENT:
          setSpan(line.agent, from, isDash(bytes, from, at) ? from : at)
          break
        case REMOTE:
          setSpan(line.remote, from, at)
          break
        case EPOCH:
        case EPOCH_MS:
          dayMs = readNumber(bytes, from, at) * (roles[column] === EPOCH ? 1000 : 1)
          timeMs = 0
          break
      }
      // The last needed column may be the last of all; an earlier one that ends the line leaves some unread.
      if (at === end && column < roles.length - 1) return 'malformed'
      at++
    }
    line.timeMs = dayMs + timeMs
    return line.timeMs > 0 && line.status >= 0 && line.sentBytes >= 0 ? 'request' : 'malformed'
  }

  unescape(raw: string): string {
    return unescapePercent(raw)
  }

  unescapePath(raw: string): string {
    return raw
  }

  #readHeading(text: string): LineVerdict {
    const fields = /^#Fields:\s*(.*)$/.exec(text)?.[1]
    if (fields !== undefined) {
      this.#roles = rolesOf(fields)
      this.#separator = undefined
    }
    return 'ignored'
  }
}

/** Empty, so that every line is malformed, where a field is absent without which no request is told. */
function rolesOf(fields: string): number[] {
  const roles = fields
    .trim()
    .split(/\s+/)
    .map((name) => ROLES[name] ?? OTHER)
  const needed = [METHOD, PATH, AGENT]
  const hasTime = (roles.includes(DATE) && roles.includes(TIME)) || roles.includes(EPOCH) || roles.includes(EPOCH_MS)
  if (!hasTime || needed.some((role) => !roles.includes(role))) return []
  return roles.slice(0, roles.findLastIndex((role) => role !== OTHER) + 1)
}
