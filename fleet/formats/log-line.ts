// What every log format is read into. One object is filled again for each line, and its texts stay where they are, as
// offsets into bytes that are not decoded: of ten million lines most need two numbers and a comparison.

export const LOG_FORMATS = ['cloudfront', 'cloudfront-json', 's3', 'combined', 'caddy'] as const
/** `combined` is that of nginx, Apache and `moult serve`. */
export type LogFormat = (typeof LOG_FORMATS)[number]

/** A part of `bytes`; empty where the log does not say. */
export interface Span {
  start: number
  end: number
}

export class LogLine {
  bytes: Uint8Array = new Uint8Array(0)
  /** Milliseconds since 1970; most logs know seconds. */
  timeMs = 0
  /** 0 where no answer was sent. */
  status = 0
  /** Bytes sent, as far as the log counts them: with or without headers. */
  sentBytes = 0
  readonly method: Span = { start: 0, end: 0 }
  /** With the query, if the log has it there. */
  readonly path: Span = { start: 0, end: 0 }
  readonly agent: Span = { start: 0, end: 0 }
  readonly remote: Span = { start: 0, end: 0 }
}

/** `ignored`: a heading or a comment. */
export type LineVerdict = 'request' | 'ignored' | 'malformed'

/** Reads the lines of one file: it may remember what earlier ones said, such as the order of the fields. */
export interface LineReader {
  readonly format: LogFormat
  /** Fills `line` from `bytes[start, end)`, which has no line end. Never throws. */
  read(bytes: Uint8Array, start: number, end: number, line: LogLine): LineVerdict
  /** Undoes what this log did to a header: one character for each byte that was on the wire. */
  unescape(raw: string): string
  /** The same for a path, which clients themselves percent-encode: that stays. */
  unescapePath(raw: string): string
}

/** A request with its texts decoded; each character of them is one byte of the wire. */
export interface LogRequest {
  readonly timeMs: number
  readonly method: string
  readonly path: string
  readonly status: number
  readonly sentBytes: number
  readonly userAgent: string
  readonly remote: string
}

export function decodeRequest(line: LogLine, reader: LineReader): LogRequest {
  const text = (span: Span): string => rawText(line, span)
  return {
    timeMs: line.timeMs,
    method: text(line.method),
    path: reader.unescapePath(text(line.path)),
    status: line.status,
    sentBytes: line.sentBytes,
    userAgent: reader.unescape(text(line.agent)),
    remote: text(line.remote),
  }
}

export function rawText({ bytes }: LogLine, { start, end }: Span): string {
  return latin1(bytes, start, end)
}

export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}

export function setSpan(span: Span, start: number, end: number): void {
  span.start = start
  span.end = end
}

/** `-` is how all these logs say that there is nothing to say. */
export function isDash(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 1 && bytes[start] === 0x2d
}

/** A whole number of at most 15 digits; -1 for anything else, and 0 for `-`. */
export function readNumber(bytes: Uint8Array, start: number, end: number): number {
  if (isDash(bytes, start, end)) return 0
  if (end <= start || end - start > 15) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}
