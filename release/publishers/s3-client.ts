// The connection to a bucket. The SDK is loaded here and nowhere else, and only when something is published to S3.

import type * as Sdk from '@aws-sdk/client-s3'

import { MoultError } from '../../manifests/index.ts'
import type { Environment } from '../surroundings.ts'
import type { S3Config } from './publish-config.ts'
import { s3Error } from './s3-error.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Without a byte on the wire, in either direction. */
const IDLE_TIMEOUT_MS = 120_000
const ATTEMPTS_MAX = 5
const AMAZON_HOST = /\.amazonaws\.com(?:\.cn)?$/

export interface S3Connection {
  readonly sdk: typeof Sdk
  readonly client: Sdk.S3Client
  readonly bucket: string
  readonly target: string
  /** Amazon checks the checksums of the SDK; other services may refuse them, or accept wrong ones. */
  readonly isAmazon: boolean
  /** The name of a path of the layout in the bucket. */
  readonly keyOf: (path: string) => string
  /** The clock of the service, as of its last answer; undefined before the first. */
  readonly hostTimeMs: () => number | undefined
  /** Aborts what runs: the signal of the caller, or the loss of the lock. */
  readonly signal: () => AbortSignal
  /** Runs requests, and turns their errors into those of publishing. */
  readonly guard: <T>(path: string, work: () => Promise<T>) => Promise<T>
}

/** @throws MoultError ERR_CONFIG_MISSING without the packages */
export async function connectS3(config: S3Config, env: Environment, signal: () => AbortSignal): Promise<S3Connection> {
  const sdk = await loadSdk()
  const { bucket, prefix = '', profile } = config
  const endpoint = config.endpoint ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL']
  const isAmazon = endpoint === undefined || AMAZON_HOST.test(new URL(endpoint).hostname)
  // Other services have no regions, or do not care, but the signature needs one.
  const region = config.region ?? (isAmazon ? undefined : (env['AWS_REGION'] ?? 'us-east-1'))
  const client = new sdk.S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    ...(isAmazon ? {} : { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }),
    forcePathStyle: config.pathStyle ?? endpoint !== undefined,
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
  })
  const hostTimeMs = watchHostClock(client)
  const folder = prefix.replace(/\/+$/, '')
  const target = `s3://${bucket}${folder === '' ? '' : `/${folder}`}`
  return {
    sdk,
    client,
    bucket,
    target,
    isAmazon,
    keyOf: (path) => (folder === '' ? path : `${folder}/${path}`),
    hostTimeMs,
    ...guardedBy(signal, target),
  }
}

/** The same connection for what has to be done also when the work was stopped. */
export function unstoppable(s3: S3Connection): S3Connection {
  const { signal } = new AbortController()
  return { ...s3, ...guardedBy(() => AbortSignal.any([signal]), s3.target) }
}

function guardedBy(signal: () => AbortSignal, target: string): Pick<S3Connection, 'signal' | 'guard'> {
  return {
    signal,
    async guard(path, work) {
      signal().throwIfAborted()
      try {
        return await work()
      } catch (error) {
        signal().throwIfAborted()
        throw s3Error(error, path, target)
      }
    },
  }
}

async function loadSdk(): Promise<typeof Sdk> {
  // It would tell every release on Node 20 that some later SDK wants another Node; the lockfile decides on that.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  try {
    return await import('@aws-sdk/client-s3')
  } catch (cause) {
    throw missingPackage(cause)
  }
}

/** The packages are optional: who publishes to a folder need not have them. */
export function missingPackage(cause: unknown): unknown {
  if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') return cause
  return new MoultError('ERR_CONFIG_MISSING', 'publishing to S3 needs a package that is not installed: @aws-sdk', {
    hint: 'Run `npm install @aws-sdk/client-s3 @aws-sdk/lib-storage`.',
    cause,
  })
}

/** Ages of objects are reckoned by the clock that dates them, and not by the one of this machine. */
function watchHostClock(client: Sdk.S3Client): () => number | undefined {
  let seen: { readonly dateMs: number; readonly at: number } | undefined
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as { headers?: Record<string, string> }
      const dateMs = Date.parse(headers?.['date'] ?? '')
      if (!Number.isNaN(dateMs)) seen = { dateMs, at: performance.now() }
      return result
    },
    { step: 'deserialize', name: 'watchHostClock', priority: 'low' },
  )
  return () => (seen === undefined ? undefined : seen.dateMs + performance.now() - seen.at)
}
