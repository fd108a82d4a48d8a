// Server access logs of Amazon S3:
//
//   owner bucket [time] remote requester request-id operation key "request" status error bytes size total turn
//   "referer" "user agent" version ...
//
// Nothing is escaped in the quoted fields, quotes neither. So the request ends at the quote that a status follows, and
// the User-Agent at the last quote of the line: what stands behind it is written by Amazon.

import { endOfWord, setRequest } from './combined.ts'
import { isDash, type LineReader, type LineVerdict, type LogLine, readNumber, setSpan } from './log-line.ts'
import { CLF_TIME_CHARS, readClfTime } from './log-time.ts'

const SPACE = 0x20
const QUOTE = 0x22
const OPENING = 0x5b

export class S3Reader implements LineReader {
  readonly format = 's3'

  read(bytes: Uint8Array, start: number, end: number, line: LogLine): LineVerdict {
    const bucketAt = endOfWord(bytes, start, end) + 1
    const timeAt = endOfWord(bytes, bucketAt, end) + 2
    if (bytes[timeAt - 1] !== OPENING || timeAt + CLF_TIME_CHARS + 2 >= end) return 'malformed'
    line.bytes = bytes
    line.timeMs = readClfTime(bytes, timeAt)
    const remoteAt = timeAt + CLF_TIME_CHARS + 2
    const remoteEnd = endOfWord(bytes, remoteAt, end)
    setSpan(line.remote, remoteAt, remoteEnd)
    let at = remoteEnd
    for (let word = 0; word < 4; word++) at = endOfWord(bytes, at + 1, end)
    return this.#readRequest(bytes, at + 1, end, line)
  }

  #readRequest(bytes: Uint8Array, start: number, end: number, line: LogLine): LineVerdict {
    // A request that was never understood is written as a bare dash.
    const isQuoted = bytes[start] === QUOTE
    const requestEnd = isQuoted ? findQuoteBeforeStatus(bytes, start + 1, end) : endOfWord(bytes, start, end) - 1
    if (requestEnd < 0 || requestEnd >= end) return 'malformed'
    const statusEnd = endOfWord(bytes, requestEnd + 2, end)
    const errorEnd = endOfWord(bytes, statusEnd + 1, end)
    const bytesEnd = endOfWord(bytes, errorEnd + 1, end)
    let at = bytesEnd
    for (let word = 0; word < 3; word++) at = endOfWord(bytes, at + 1, end)
    if (at >= end) return 'malformed'
    line.status = readNumber(bytes, requestEnd + 2, statusEnd)
    line.sentBytes = readNumber(bytes, errorEnd + 1, bytesEnd)
    if (isQuoted) setRequest(bytes, start + 1, requestEnd, line)
    else line.method.end = line.method.start = line.path.end = line.path.start = start
    if (!setAgent(bytes, at + 1, end, line)) return 'malformed'
    return line.timeMs > 0 && line.status >= 0 && line.sentBytes >= 0 ? 'request' : 'malformed'
  }

  unescape(raw: string): string {
    return raw
  }

  unescapePath(raw: string): string {
    return raw
  }
}

/** The quote before ` ddd ` or ` - `. */
function findQuoteBeforeStatus(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end - 3; at++) {
    if (bytes[at] !== QUOTE || bytes[at + 1] !== SPACE) continue
    const wordEnd = endOfWord(bytes, at + 2, end)
    if (wordEnd - at === 5 && readNumber(bytes, at + 2, wordEnd) >= 0) return at
    if (isDash(bytes, at + 2, wordEnd)) return at
  }
  return -1
}

/** `"referer" "user agent"`, either of which may be a bare dash. */
function setAgent(bytes: Uint8Array, start: number, end: number, line: LogLine): boolean {
  const closing = bytes.subarray(start, end).lastIndexOf(QUOTE) + start
  const bareReferer = isDash(bytes, start, endOfWord(bytes, start, end))
  const agentAt = bareReferer ? start + 3 : findAgent(bytes, start, closing)
  if (bareReferer && bytes[start + 2] !== QUOTE) {
    setSpan(line.agent, start, start)
    return isDash(bytes, start + 2, endOfWord(bytes, start + 2, end))
  }
  if (closing < agentAt) {
    setSpan(line.agent, start, start)
    return bytes[start] === QUOTE && closing > start
  }
  setSpan(line.agent, agentAt, isDash(bytes, agentAt, closing) ? agentAt : closing)
  return bytes[start] === QUOTE || bareReferer
}

/** Agents send no referer. Behind one that was sent, the last `" "` is taken for the border. */
function findAgent(bytes: Uint8Array, start: number, closing: number): number {
  if (bytes[start + 1] === 0x2d && isBorder(bytes, start + 2)) return start + 5
  for (let at = closing - 3; at > start; at--) if (isBorder(bytes, at)) return at + 3
  return closing + 1
}

function isBorder(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === QUOTE && bytes[at + 1] === SPACE && bytes[at + 2] === QUOTE
}
