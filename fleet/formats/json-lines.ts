// Logs of one JSON object a line: CloudFront's newer delivery, and Caddy.

import { type LineReader, type LineVerdict, type LogFormat, type LogLine, setSpan, type Span } from './log-line.ts'
import { unescapePercent } from './unescape.ts'

type JsonRecord = Readonly<Record<string, unknown>>

interface Texts {
  readonly timeMs: number
  readonly status: number
  readonly sentBytes: number
  readonly method: string
  readonly path: string
  readonly agent: string
  readonly remote: string
}

abstract class JsonReader implements LineReader {
  abstract readonly format: LogFormat
  #scratch = Buffer.alloc(4096)

  /** Undefined for an object that is no request. */
  protected abstract textsOf(entry: JsonRecord): Texts | undefined
  abstract unescape(raw: string): string

  unescapePath(raw: string): string {
    return raw
  }

  read(bytes: Uint8Array, start: number, end: number, line: LogLine): LineVerdict {
    const entry = parseRecord(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start))
    if (entry === undefined) return 'malformed'
    const texts = this.textsOf(entry)
    if (texts === undefined) return 'ignored'
    if (this.#scratch.length < (end - start) * 2) this.#scratch = Buffer.alloc((end - start) * 4)
    line.bytes = this.#scratch
    line.timeMs = texts.timeMs
    line.status = texts.status
    line.sentBytes = texts.sentBytes
    let at = this.#write(line.method, texts.method, 0)
    at = this.#write(line.path, texts.path, at)
    at = this.#write(line.agent, texts.agent === '-' ? '' : texts.agent, at)
    this.#write(line.remote, texts.remote, at)
    const isWhole = line.timeMs > 0 && line.status >= 0 && line.sentBytes >= 0
    return isWhole ? 'request' : 'malformed'
  }

  #write(span: Span, text: string, at: number): number {
    const end = at + this.#scratch.write(text, at)
    setSpan(span, at, end)
    return end
  }
}

export class CloudFrontJsonReader extends JsonReader {
  readonly format = 'cloudfront-json'

  protected textsOf(entry: JsonRecord): Texts | undefined {
    if (!isCloudFrontEntry(entry)) return undefined
    return {
      timeMs: cloudFrontTime(entry),
      status: numberOf(entry['sc-status']),
      sentBytes: numberOf(entry['sc-bytes']),
      method: textOf(entry['cs-method']),
      path: textOf(entry['cs-uri-stem']),
      agent: textOf(entry['cs(User-Agent)']),
      remote: textOf(entry['c-ip']),
    }
  }

  unescape(raw: string): string {
    // A field that was delivered decoded shows it by a bare space.
    return raw.includes(' ') ? raw : unescapePercent(raw)
  }
}

export function isCloudFrontEntry(entry: JsonRecord): boolean {
  return 'cs-method' in entry && 'cs-uri-stem' in entry
}

function cloudFrontTime(entry: JsonRecord): number {
  if (entry['date'] !== undefined) return Date.parse(`${textOf(entry['date'])}T${textOf(entry['time'])}Z`)
  if (entry['timestamp(ms)'] !== undefined) return numberOf(entry['timestamp(ms)'])
  return numberOf(entry['timestamp']) * 1000
}

export class CaddyReader extends JsonReader {
  readonly format = 'caddy'

  protected textsOf(entry: JsonRecord): Texts | undefined {
    if (!isCaddyEntry(entry)) return undefined
    const request = entry['request'] as JsonRecord
    return {
      timeMs: caddyTime(entry['ts']),
      status: numberOf(entry['status']),
      sentBytes: numberOf(entry['size']),
      method: textOf(request['method']),
      path: textOf(request['uri']),
      agent: headerOf(request['headers'], 'user-agent'),
      // Until 2.5 it was `remote_addr`, with the port.
      remote: textOf(request['remote_ip'] ?? textOf(request['remote_addr']).replace(/:\d+$/, '')),
    }
  }

  unescape(raw: string): string {
    return raw
  }
}

/** Caddy writes other things than requests to the same log. */
export function isCaddyEntry(entry: JsonRecord): boolean {
  const request = entry['request']
  return isRecord(request) && 'uri' in request && 'status' in entry && 'ts' in entry
}

/** Seconds with a fraction by default; milliseconds, nanoseconds or a text where the owner has chosen so. */
function caddyTime(value: unknown): number {
  if (typeof value === 'string')
    return Date.parse(value.replace(/^(\d{4})\/(\d\d)\/(\d\d) /, '$1-$2-$3T').replace(/(?<=T[\d:.]+)$/, 'Z'))
  if (typeof value !== 'number') return Number.NaN
  if (value > 1e17) return Math.floor(value / 1e6)
  return Math.floor(value > 1e11 ? value : value * 1000)
}

function headerOf(headers: unknown, name: string): string {
  if (!isRecord(headers)) return ''
  const key = Object.keys(headers).find((one) => one.toLowerCase() === name)
  const values = key === undefined ? undefined : headers[key]
  return textOf(Array.isArray(values) ? (values as unknown[])[0] : values)
}

export function parseRecord(bytes: Buffer): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Numbers come as numbers or as text; -1 for what is neither, and 0 for `-`. */
function numberOf(value: unknown): number {
  if (value === '-' || value === undefined) return 0
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : -1
}
