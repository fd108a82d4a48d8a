// The combined log format of nginx, Apache and `moult serve`:
//
//   remote ident user [time] "request" status bytes "referer" "user agent"
//
// A virtual host in front and more fields at the end are passed over. What a client sends cannot end a field: quotes
// and backslashes in it are escaped.

import { isDash, type LineReader, type LineVerdict, type LogLine, readNumber, setSpan } from './log-line.ts'
import { CLF_TIME_CHARS, readClfTime } from './log-time.ts'
import { unescapeBackslash } from './unescape.ts'

const SPACE = 0x20
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = 0x5b
const CLOSING = 0x5d

export class CombinedReader implements LineReader {
  readonly format = 'combined'

  read(bytes: Uint8Array, start: number, end: number, line: LogLine): LineVerdict {
    const timeAt = findTime(bytes, start, end)
    if (timeAt < 0) return 'malformed'
    line.bytes = bytes
    line.timeMs = readClfTime(bytes, timeAt)
    setRemote(bytes, start, timeAt - 1, line)
    const requestAt = timeAt + CLF_TIME_CHARS + 3
    const requestEnd = endOfQuoted(bytes, requestAt, end)
    const statusAt = requestEnd + 2
    const statusEnd = endOfWord(bytes, statusAt, end)
    const bytesEnd = endOfWord(bytes, statusEnd + 1, end)
    const refererEnd = endOfQuoted(bytes, bytesEnd + 2, end)
    const agentAt = refererEnd + 3
    const agentEnd = endOfQuoted(bytes, agentAt, end)
    if (agentEnd >= end || bytes[bytesEnd + 1] !== QUOTE || bytes[refererEnd + 2] !== QUOTE) return 'malformed'
    line.status = readNumber(bytes, statusAt, statusEnd)
    line.sentBytes = readNumber(bytes, statusEnd + 1, bytesEnd)
    setRequest(bytes, requestAt, requestEnd, line)
    setSpan(line.agent, agentAt, isDash(bytes, agentAt, agentEnd) ? agentAt : agentEnd)
    return line.timeMs > 0 && line.status >= 0 && line.sentBytes >= 0 ? 'request' : 'malformed'
  }

  unescape(raw: string): string {
    return unescapeBackslash(raw)
  }

  unescapePath(raw: string): string {
    return unescapeBackslash(raw)
  }
}

/**
 * Where the time starts: behind the first bracket that holds one and is followed by a quote. The name of a user is
 * chosen by the client and may look like a time, but no bare quote comes after it.
 */
function findTime(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end - CLF_TIME_CHARS - 3; at++) {
    if (bytes[at] !== OPENING || bytes[at + CLF_TIME_CHARS + 1] !== CLOSING) continue
    if (bytes[at + CLF_TIME_CHARS + 2] === SPACE && bytes[at + CLF_TIME_CHARS + 3] === QUOTE) return at + 1
  }
  return -1
}

/** The first word, or the second where the first is a virtual host with its port. */
function setRemote(bytes: Uint8Array, start: number, end: number, line: LogLine): void {
  const first = endOfWord(bytes, start, end)
  const second = endOfWord(bytes, first + 1, end)
  const hasHost = !isDash(bytes, first + 1, second) && isDash(bytes, second + 1, endOfWord(bytes, second + 1, end))
  if (hasHost) setSpan(line.remote, first + 1, second)
  else setSpan(line.remote, start, first)
}

/** `METHOD path protocol`; both empty for what is no request line, such as the first bytes of TLS on a plain port. */
export function setRequest(bytes: Uint8Array, start: number, end: number, line: LogLine): void {
  const methodEnd = endOfWord(bytes, start, end)
  const pathEnd = endOfWord(bytes, methodEnd + 1, end)
  const isRequest = methodEnd < end && pathEnd > methodEnd + 1
  setSpan(line.method, start, isRequest ? methodEnd : start)
  setSpan(line.path, methodEnd + 1, isRequest ? pathEnd : methodEnd + 1)
}

export function endOfWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== SPACE) at++
  return at
}

/** Where the quote stands that ends the field, or `end`. */
function endOfQuoted(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return Math.min(at, end)
}
