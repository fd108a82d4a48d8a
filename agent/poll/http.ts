// Plain HTTP GET as an agent needs it: bounded in time, size and redirects, never downgraded, nothing decoded on the way.
//
// On node:http, not on fetch or undici: undici doubles what the updater adds to an idle agent (bench/idle.ts), on every machine.

import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'

import { MoultError } from '../../manifests/index.ts'
import { guardedLookup } from './guarded-lookup.ts'
import { REDIRECTS_MAX, resolveUrl, withoutSecrets } from './url-policy.ts'

export interface HttpOptions {
  /** The configured manifest URL: what may be reached depends on it. */
  readonly base: URL
  readonly headers?: Readonly<Record<string, string>>
  /** For the configured host only; never sent anywhere else. */
  readonly secretHeaders?: Readonly<Record<string, string>>
  /** Longest wait for the headers, and longest silence in the body. */
  readonly stallMs?: number
  readonly signal?: AbortSignal | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: IncomingMessage
  /** The URL that answered, after redirects. */
  readonly url: URL
}

export const STALL_MS = 30_000
const REDIRECTS = new Set([301, 302, 303, 307, 308])

// A poll outlives any kept connection, so each gets a new one; the agent keeps the TLS session, which a later poll resumes.
const httpAgent = new HttpAgent({ keepAlive: false })
const httpsAgent = new HttpsAgent({ keepAlive: false })

/**
 * @throws MoultError ERR_NETWORK_*; any status but a redirect is the caller's to judge
 */
export async function httpGet(target: URL, options: HttpOptions): Promise<HttpResponse> {
  let url = resolveUrl(target.href, options.base)
  for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
    const body = await send(url, options)
    const response = { status: body.statusCode ?? 0, headers: body.headers, body, url }
    if (!REDIRECTS.has(response.status)) return response
    discardBody(response)
    url = nextHop(url, response.headers.location, options.base)
  }
  throw new MoultError('ERR_NETWORK_REDIRECT', `more than ${REDIRECTS_MAX} redirects: ${withoutSecrets(target)}`)
}

function send(
  url: URL,
  { base, headers, secretHeaders, stallMs = STALL_MS, signal }: HttpOptions,
): Promise<IncomingMessage> {
  const isSecure = url.protocol === 'https:'
  const secret = url.origin === base.origin ? secretHeaders : {}
  return new Promise((resolve, reject) => {
    const outgoing = (isSecure ? requestHttps : requestHttp)(url, {
      agent: isSecure ? httpsAgent : httpAgent,
      lookup: guardedLookup(base),
      headers: { 'accept-encoding': 'identity', ...headers, ...secret },
    })
    let response: IncomingMessage | undefined
    const stop = (error: unknown): void => void (response ?? outgoing).destroy(error as Error)
    const onStall = (): void => stop(Object.assign(new Error(`silent for ${stallMs} ms`), { code: 'ETIMEDOUT' }))
    // While received bytes wait for us to take them (a rate limit, a slow disk), the silence is ours.
    const onIdle = (): void => void (response?.readableLength ? outgoing.setTimeout(stallMs, onIdle) : onStall())
    const onAbort = (): void => stop(signal?.reason)
    // Until the headers are whole a timer counts, as a host that drips them is never silent; then the socket's silence.
    const headersTimer = setTimeout(onStall, stallMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    outgoing.once('close', () => {
      clearTimeout(headersTimer)
      signal?.removeEventListener('abort', onAbort)
    })
    outgoing.once('response', (incoming) => {
      clearTimeout(headersTimer)
      response = incoming
      outgoing.setTimeout(stallMs, onIdle)
      resolve(incoming)
    })
    outgoing.on('error', (error) => reject(toNetworkError(error, url)))
    if (signal?.aborted === true) onAbort()
    outgoing.end()
  })
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

/** A failure of a request or of its body as a typed error. */
export function toNetworkError(error: unknown, url: URL): MoultError {
  if (error instanceof MoultError) return error
  const reason = error instanceof Error && 'code' in error ? String(error.code) : ''
  const isTimeout = reason === 'ETIMEDOUT' || (error instanceof Error && error.name === 'TimeoutError')
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
