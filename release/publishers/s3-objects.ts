// Small objects: read, written under a condition, listed, removed.

import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import { MANIFEST_MAX_BYTES, sha256 } from '../../manifests/index.ts'
import type { S3Config } from './publish-config.ts'
import type { PublishedFile } from './publisher.ts'
import { collect } from './read-stream.ts'
import type { S3Connection } from './s3-client.ts'
import { headersOf } from './s3-headers.ts'

const CONFLICT_RETRIES_MAX = 8
const CONFLICT_PAUSE_MS = 100

export interface StoredObject {
  readonly bytes: Uint8Array
  /** Without quotes: some services compare a quoted one with their own unquoted and never find it equal. */
  readonly etag: string
  /** By the clock of the service, at least 0. */
  readonly ageMs: number
}

/** `absent`: only where there is none. `same`: only in place of the one with this ETag. */
export type Condition =
  | { readonly kind: 'none' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'same'; readonly etag: string }

export type PutOutcome = { readonly kind: 'stored'; readonly etag: string } | { readonly kind: 'condition failed' }

/** The body of an object as it comes; undefined when there is none. */
export function openObject(
  s3: S3Connection,
  path: string,
  signal: AbortSignal = s3.signal(),
): Promise<{ body: AsyncIterable<Uint8Array>; etag: string; modifiedMs: number } | undefined> {
  const { sdk, client, bucket: Bucket, keyOf } = s3
  return s3.guard(path, async () => {
    try {
      const command = new sdk.GetObjectCommand({ Bucket, Key: keyOf(path) })
      const { Body, ETag = '', LastModified } = await client.send(command, { abortSignal: signal })
      return {
        body: guarded(s3, path, Body as Readable),
        etag: ETag.replaceAll('"', ''),
        modifiedMs: LastModified?.getTime() ?? 0,
      }
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined
      throw error
    }
  })
}

/** A connection that breaks in the middle of a body is an error of publishing, too. */
async function* guarded(s3: S3Connection, path: string, body: Readable): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      const next = await s3.guard(path, () => chunks.next())
      if (next.done === true) return
      yield next.value
    }
  } finally {
    body.destroy()
  }
}

export async function readObject(s3: S3Connection, path: string, maxBytes: number): Promise<StoredObject | undefined> {
  const found = await openObject(s3, path)
  if (found === undefined) return undefined
  const { body, etag, modifiedMs } = found
  const ageMs = Math.max(0, (s3.hostTimeMs() ?? modifiedMs) - modifiedMs)
  return { bytes: await collect(body, maxBytes, path), etag, ageMs }
}

/** Writes a small object at one instant, if the condition holds. */
export function putObject(
  s3: S3Connection,
  config: S3Config,
  path: string,
  bytes: Uint8Array,
  condition: Condition,
): Promise<PutOutcome> {
  const { sdk, client, bucket: Bucket, keyOf, isAmazon } = s3
  const command = new sdk.PutObjectCommand({
    Bucket,
    Key: keyOf(path),
    Body: bytes,
    ContentLength: bytes.length,
    ...headersOf(path, config),
    ...(isAmazon ? { ChecksumSHA256: Buffer.from(sha256(bytes), 'hex').toString('base64') } : {}),
    ...(condition.kind === 'absent' ? { IfNoneMatch: '*' } : {}),
    ...(condition.kind === 'same' ? { IfMatch: condition.etag } : {}),
  })
  return s3.guard(path, async () => {
    for (let attempt = 0; ; attempt++) {
      try {
        const { ETag = '' } = await client.send(command, { abortSignal: s3.signal() })
        return { kind: 'stored', etag: ETag.replaceAll('"', '') }
      } catch (error) {
        const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
        if (isConditionFailure(error, status, condition)) return await afterFailure(s3, path, bytes)
        // Two conditional writes met, and the service decided on neither.
        if (status !== 409 || attempt === CONFLICT_RETRIES_MAX) throw error
      }
      await sleep(CONFLICT_PAUSE_MS * (1 + attempt) * (0.5 + Math.random()), undefined, { signal: s3.signal() })
    }
  })
}

/** 404: the one that was to be replaced is gone. */
function isConditionFailure(error: unknown, status: number | undefined, condition: Condition): boolean {
  if (condition.kind === 'none') return false
  return status === 412 || (condition.kind === 'same' && status === 404 && (error as Error).name !== 'NoSuchBucket')
}

/**
 * An answer can be lost on the way, and the SDK then asks again: the second time the object that fails the condition is
 * our own.
 */
async function afterFailure(s3: S3Connection, path: string, bytes: Uint8Array): Promise<PutOutcome> {
  const found = await readObject(s3, path, Math.max(MANIFEST_MAX_BYTES, bytes.length))
  return found !== undefined && sha256(found.bytes) === sha256(bytes)
    ? { kind: 'stored', etag: found.etag }
    : { kind: 'condition failed' }
}

export function removeObject(s3: S3Connection, path: string): Promise<void> {
  const { sdk, client, bucket: Bucket, keyOf } = s3
  return s3.guard(path, async () => {
    await client.send(new sdk.DeleteObjectCommand({ Bucket, Key: keyOf(path) }), { abortSignal: s3.signal() })
  })
}

/** Everything below a prefix of the layout. */
export function listObjects(s3: S3Connection, prefix: string): Promise<PublishedFile[]> {
  const { sdk, client, bucket: Bucket, keyOf } = s3
  const base = keyOf('').length
  return s3.guard(prefix, async () => {
    const files: PublishedFile[] = []
    for await (const { Contents = [] } of sdk.paginateListObjectsV2({ client }, { Bucket, Prefix: keyOf(prefix) }))
      for (const { Key = '', Size = 0 } of Contents) files.push({ path: Key.slice(base), size: Size })
    return files
  })
}

/** Names of the folders directly below the base. */
export function listFolders(s3: S3Connection): Promise<string[]> {
  const { sdk, client, bucket: Bucket, keyOf } = s3
  const Prefix = keyOf('')
  return s3.guard('', async () => {
    const folders: string[] = []
    for await (const { CommonPrefixes = [] } of sdk.paginateListObjectsV2(
      { client },
      { Bucket, Prefix, Delimiter: '/' },
    ))
      for (const { Prefix: folder = '' } of CommonPrefixes) folders.push(folder.slice(Prefix.length, -1))
    return folders
  })
}
