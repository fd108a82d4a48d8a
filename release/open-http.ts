import { MoultError } from '../manifests/index.ts'

const REDIRECTS_MAX = 5
const HEADERS_TIMEOUT_MS = 30_000
const BODY_IDLE_TIMEOUT_MS = 60_000

/** The body of a GET. Follows redirects, but never from https to http. @throws MoultError ERR_NETWORK_* */
export async function openHttp(first: URL, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const { request } = await import('undici')
  let url = first
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const { statusCode, headers, body } = await request(url, {
      signal,
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: BODY_IDLE_TIMEOUT_MS,
      // What is hashed is what was published, not what a proxy made of it; and caches are asked to ask.
      headers: { 'accept-encoding': 'identity', 'cache-control': 'no-cache' },
    }).catch((cause: unknown) => {
      throw unreachable(url, cause, signal)
    })
    if (statusCode === 200) return readBody(url, body, signal)
    await body.dump()
    const { location } = headers
    if (statusCode < 300 || statusCode >= 400 || typeof location !== 'string') throw badStatus(url, statusCode)
    url = redirected(url, location)
  }
  throw new MoultError('ERR_NETWORK_REDIRECT', `more than ${REDIRECTS_MAX} redirects: ${first.href}`)
}

async function* readBody(url: URL, body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw unreachable(url, cause, signal)
  }
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:')) return to
  throw new MoultError('ERR_NETWORK_REDIRECT', `a redirect that is not allowed: ${from.href}`, {
    details: { location },
  })
}

function badStatus(url: URL, status: number): MoultError {
  return new MoultError('ERR_NETWORK_STATUS', `${status === 404 ? 'not found' : `status ${status}`}: ${url.href}`, {
    details: { url: url.href, status },
  })
}

function unreachable(url: URL, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return cause
  const { code = '' } = cause as NodeJS.ErrnoException
  const isTimeout = code.includes('TIMEOUT') || code === 'ETIMEDOUT'
  return new MoultError(
    isTimeout ? 'ERR_NETWORK_TIMEOUT' : 'ERR_NETWORK_UNREACHABLE',
    `${isTimeout ? 'no answer in time' : `no connection${code === '' ? '' : ` (${code})`}`}: ${url.origin}`,
    { hint: 'Is the server running, and the URL right?', details: { url: url.href }, cause },
  )
}
