// Plain HTTP GET as an agent needs it: bounded in time, size and redirects, never downgraded, nothing decoded on the way.

import type { Readable } from 'node:stream'

import { Agent, request } from 'undici'

import { MoultError } from '../manifests/index.ts'
import { REDIRECTS_MAX, resolveUrl, withoutSecrets } from './url-policy.ts'

export interface HttpOptions {
  /** The configured manifest URL: what may be reached depends on it. */
  readonly base: URL
  readonly headers?: Readonly<Record<string, string>>
  /** For the configured host only; never sent anywhere else. */
  readonly secretHeaders?: Readonly<Record<string, string>>
  /** Longest silence of the server, in headers or body. */
  readonly stallMs?: number
  readonly signal?: AbortSignal | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readable
  /** The URL that answered, after redirects. */
  readonly url: URL
}

export const STALL_MS = 30_000
const CONNECT_MS = 15_000
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Connections are kept for some seconds, TLS sessions for the life of the process: a later poll resumes its session. */
const dispatcher = new Agent({ connect: { timeout: CONNECT_MS }, connections: 4 })

/**
 * @throws MoultError ERR_NETWORK_*; any status but a redirect is the caller's to judge
 */
export async function httpGet(target: URL, options: HttpOptions): Promise<HttpResponse> {
  const stallMs = options.stallMs ?? STALL_MS
  let url = resolveUrl(target.href, options.base)
  for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
    const response = await send(url, stallMs, options)
    if (!REDIRECTS.has(response.statusCode)) {
      return { status: response.statusCode, headers: response.headers, body: response.body, url }
    }
    response.body.on('error', () => undefined).destroy()
    url = nextHop(url, response.headers['location'], options.base)
  }
  throw new MoultError('ERR_NETWORK_REDIRECT', `more than ${REDIRECTS_MAX} redirects: ${withoutSecrets(target)}`)
}

async function send(url: URL, stallMs: number, options: HttpOptions) {
  const secret = url.origin === options.base.origin ? options.secretHeaders : {}
  try {
    return await request(url, {
      dispatcher,
      headers: { 'accept-encoding': 'identity', ...options.headers, ...secret },
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      signal: options.signal ?? null,
    })
  } catch (error) {
    throw toNetworkError(error, url)
  }
}

function nextHop(from: URL, location: string | string[] | undefined, base: URL): URL {
  if (typeof location !== 'string') {
    throw new MoultError('ERR_NETWORK_REDIRECT', `a redirect without a target: ${withoutSecrets(from)}`)
  }
  try {
    const next = resolveUrl(new URL(location, from).href, base)
    if (from.protocol === 'https:' && next.protocol === 'http:') throw new Error('https to http')
    return next
  } catch (cause) {
    throw new MoultError('ERR_NETWORK_REDIRECT', `a redirect that is not allowed: ${withoutSecrets(from)}`, { cause })
  }
}

const TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'])

/** A failure of a request or of its body as a typed error. */
export function toNetworkError(error: unknown, url: URL): MoultError {
  if (error instanceof MoultError) return error
  const reason = error instanceof Error && 'code' in error ? String(error.code) : ''
  const isTimeout = TIMEOUTS.has(reason) || (error instanceof Error && error.name === 'TimeoutError')
  const code = isTimeout ? 'ERR_NETWORK_TIMEOUT' : 'ERR_NETWORK_UNREACHABLE'
  const message = `${isTimeout ? 'too slow' : `no answer${reason === '' ? '' : ` (${reason})`}`}: ${withoutSecrets(url)}`
  const hint = reason === 'ECONNREFUSED' ? 'Is the update server running, and on this address and port?' : undefined
  return new MoultError(code, message, { cause: error, ...(hint === undefined ? {} : { hint }) })
}

/** The one value of a header, or undefined. */
export function header(response: HttpResponse, name: string): string | undefined {
  const value = response.headers[name]
  return typeof value === 'string' ? value : undefined
}

/**
 * The whole body, unless it grows beyond `maxBytes`.
 * @throws MoultError of `tooLarge`, or ERR_NETWORK_*
 */
export async function readBody(response: HttpResponse, maxBytes: number, tooLarge: () => MoultError): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (error) {
    response.body.destroy()
    throw toNetworkError(error, response.url)
  }
  return Buffer.concat(chunks)
}

/** Closes a body that nobody reads. */
export function discardBody(response: HttpResponse): void {
  response.body.on('error', () => undefined).destroy()
}
