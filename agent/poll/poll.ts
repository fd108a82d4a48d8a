import { isMoultError, MANIFEST_MAX_BYTES, MoultError, sha256 } from '../../manifests/index.ts'
import { readIfPossible } from '../home/durable-file.ts'
import type { Home } from '../home/home.ts'
import { discardBody, header, httpGet, type HttpResponse, readBody } from './http.ts'
import type { State } from '../home/state.ts'
import { withoutSecrets } from './url-policy.ts'

/** A poll that lasts longer has failed, however steadily the bytes drip. */
const POLL_DEADLINE_MS = 60_000
const RETRY_AFTER_MAX_MS = 60 * 60 * 1000
/** Validators that are kept. One beyond this could make the state file unreadable, and the sequence floor is in there. */
const ETAG = /^(?:W\/)?"[!#-~]{0,256}"$/

export interface PollOptions {
  readonly url: URL
  readonly userAgent: string
  readonly secretHeaders?: Readonly<Record<string, string>> | undefined
  readonly stallMs?: number | undefined
  readonly deadlineMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PolledManifest {
  readonly bytes: Uint8Array
  readonly etag?: string | undefined
  /** False when the host said that the stored copy still holds. */
  readonly isFresh: boolean
}

/**
 * Fetches the manifest, unless the host says that the stored copy still holds. What comes back is not verified.
 * @throws MoultError ERR_NETWORK_* or ERR_MANIFEST_TOO_LARGE
 */
export async function pollManifest(home: Home, state: State, options: PollOptions): Promise<PolledManifest> {
  const stored = storedManifest(home, state, options.url)
  const validator = stored?.etag === undefined ? {} : { 'if-none-match': stored.etag }
  const response = await getDocument(options.url, options, validator)
  if (response.status === 304 && stored !== undefined) {
    discardBody(response)
    return { ...stored, isFresh: false }
  }
  if (response.status !== 200) {
    discardBody(response)
    throw statusError(response)
  }
  const bytes = await readBody(response, MANIFEST_MAX_BYTES, () => {
    return new MoultError(
      'ERR_MANIFEST_TOO_LARGE',
      `larger than ${MANIFEST_MAX_BYTES} bytes: ${withoutSecrets(options.url)}`,
    )
  })
  const etag = header(response, 'etag')
  return { bytes, etag: etag !== undefined && ETAG.test(etag) ? etag : undefined, isFresh: true }
}

/** @param options of which `url` is the base: what is not there gets no secret headers */
export function getDocument(
  url: URL,
  { url: base, userAgent, secretHeaders, stallMs, deadlineMs, signal }: PollOptions,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> {
  const deadline = AbortSignal.timeout(deadlineMs ?? POLL_DEADLINE_MS)
  return httpGet(url, {
    base,
    headers: { 'user-agent': userAgent, accept: 'application/json', ...headers },
    ...(secretHeaders === undefined ? {} : { secretHeaders }),
    ...(stallMs === undefined ? {} : { stallMs }),
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
  })
}

/** The last manifest that verified, when its copy on disk is still whole and came from this URL. */
function storedManifest(home: Home, { cached }: State, url: URL): Omit<PolledManifest, 'isFresh'> | undefined {
  if (cached?.etag === undefined || cached.url !== url.href) return undefined
  const bytes = readIfPossible(home.manifest)
  return bytes !== undefined && sha256(bytes) === cached.sha256 ? { bytes, etag: cached.etag } : undefined
}

/** An unusable status as an error; `details.retryAfterMs` holds what the host asked for, within bounds. */
export function statusError(response: HttpResponse): MoultError {
  const retryAfterMs = parseRetryAfter(header(response, 'retry-after'))
  const hint =
    response.status === 404 ? 'Check the server URL and the channel; has anything been published there?' : undefined
  return new MoultError('ERR_NETWORK_STATUS', `status ${response.status}: ${withoutSecrets(response.url)}`, {
    details: { status: response.status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    ...(hint === undefined ? {} : { hint }),
  })
}

/** What the host asked for with `Retry-After`, in milliseconds; 0 when that was nothing. */
export function retryAfterOf(error: unknown): number {
  const asked = isMoultError(error) ? error.details['retryAfterMs'] : undefined
  return typeof asked === 'number' ? asked : 0
}

function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined || !/^[0-9]{1,9}$/.test(value)) return undefined
  return Math.min(Number(value) * 1000, RETRY_AFTER_MAX_MS)
}
