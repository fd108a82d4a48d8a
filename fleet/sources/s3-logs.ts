// Logs in a bucket, where CloudFront and S3 put them. The SDK is loaded only when one is read.

import type * as Sdk from '@aws-sdk/client-s3'

import { MoultError } from '../../manifests/errors.ts'
import { isInTime, nextName } from './log-names.ts'
import type { LogSource } from './log-source.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Without a byte on the wire. */
const IDLE_TIMEOUT_MS = 120_000
const ATTEMPTS_MAX = 5
const AMAZON_HOST = /\.amazonaws\.com(?:\.cn)?$/

type S3Source = LogSource & { readonly kind: 's3' }

interface Connection {
  readonly sdk: typeof Sdk
  readonly client: Sdk.S3Client
}

let connected: Promise<Connection> | undefined

/**
 * The logs below `s3://bucket/prefix` whose names do not say that they are of another time.
 * @throws MoultError ERR_CONFIG_MISSING without the package or credentials, ERR_NETWORK_* when the bucket cannot be listed
 */
export async function listObjects(
  url: string,
  sinceMs: number | undefined,
  untilMs: number | undefined,
): Promise<S3Source[]> {
  const { bucket, prefix } = parseUrl(url)
  const { sdk, client } = await connect()
  const found: S3Source[] = []
  let after: string | undefined
  for (;;) {
    const command = new sdk.ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      ...(after === undefined ? {} : { StartAfter: after }),
    })
    const page = await guard(`s3://${bucket}/${prefix}`, () => client.send(command))
    const objects = page.Contents ?? []
    for (const { Key: key = '', Size: bytes = 0 } of objects) {
      if (bytes > 0 && isInTime(key, sinceMs, untilMs)) found.push({ kind: 's3', bucket, key, bytes })
    }
    const last = objects.at(-1)?.Key
    if (page.IsTruncated !== true || last === undefined) return found
    const jump = nextName(last, sinceMs, untilMs)
    after = jump !== undefined && jump > last ? jump : last
  }
}

export async function openObject({ bucket, key }: S3Source): Promise<AsyncIterable<Buffer>> {
  const { sdk, client } = await connect()
  const target = `s3://${bucket}/${key}`
  const { Body: body } = await guard(target, () => client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key })))
  if (body === undefined) throw new MoultError('ERR_NETWORK_STATUS', `the answer is empty: ${target}`)
  return guardChunks(body as unknown as AsyncIterable<Buffer>, target)
}

async function* guardChunks(chunks: AsyncIterable<Buffer>, target: string): AsyncGenerator<Buffer> {
  try {
    yield* chunks
  } catch (error) {
    throw meaningOf(error, target)
  }
}

function parseUrl(url: string): { bucket: string; prefix: string } {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(url) ?? []
  if (bucket === '') {
    throw new MoultError('ERR_USAGE_INVALID', `no bucket: ${url}`, { hint: 'Write s3://bucket/prefix.' })
  }
  return { bucket, prefix }
}

function connect(): Promise<Connection> {
  return (connected ??= openConnection())
}

/** As publishing does, so that what is set for it serves here: credentials, region and endpoint of the environment. */
async function openConnection(): Promise<Connection> {
  const { env } = process
  env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  const sdk = await loadSdk()
  const endpoint = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL']
  const isAmazon = endpoint === undefined || AMAZON_HOST.test(new URL(endpoint).hostname)
  const region = isAmazon ? undefined : (env['AWS_REGION'] ?? 'us-east-1')
  const client = new sdk.S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(isAmazon ? {} : { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }),
    forcePathStyle: endpoint !== undefined,
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
  })
  return { sdk, client }
}

async function loadSdk(): Promise<typeof Sdk> {
  try {
    return await import('@aws-sdk/client-s3')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new MoultError('ERR_CONFIG_MISSING', 'logs in S3 need a package that is not installed: @aws-sdk/client-s3', {
      hint: 'Run `npm install @aws-sdk/client-s3`.',
      cause,
    })
  }
}

async function guard<T>(target: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw meaningOf(error, target)
  }
}

function meaningOf(error: unknown, target: string): MoultError {
  const { name = '', message = '' } = error instanceof Error ? error : {}
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  const reason = `${name}${message === '' ? '' : `: ${message}`}`
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError') {
    return new MoultError('ERR_CONFIG_MISSING', `no credentials were found: ${target}`, {
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or run where a role gives them.',
      cause: error,
    })
  }
  if (status === undefined) {
    return new MoultError('ERR_NETWORK_UNREACHABLE', `the logs cannot be fetched: ${target}: ${reason}`, {
      cause: error,
    })
  }
  return new MoultError('ERR_NETWORK_STATUS', `the logs cannot be fetched: ${target}: ${reason}`, {
    hint: 'Reading logs needs s3:ListBucket on the bucket and s3:GetObject on the objects.',
    details: { status },
    cause: error,
  })
}
