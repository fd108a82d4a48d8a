// Artifacts. What is sent is hashed on its way, and the object appears only if that is what was hashed before.

import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'

import type { Upload } from '@aws-sdk/lib-storage'

import { sha256 } from '../../manifests/index.ts'
import { isSystemError, fileSystemError } from '../file-system-error.ts'
import type { S3Config } from './publish-config.ts'
import type { PublishFile } from './publisher.ts'
import { changedSinceHashed } from './read-stream.ts'
import { missingPackage, type S3Connection } from './s3-client.ts'
import { headersOf } from './s3-headers.ts'
import { putObject } from './s3-objects.ts'

/** Up to this size in one request; beyond, in parts of it, which are the smallest that S3 takes. */
const PART_BYTES = 5 * 1024 * 1024
/** This bounds the memory, however large the artifacts are: bench/s3-upload.ts. */
const PARTS_AT_ONCE = 4

export async function uploadArtifact(
  s3: S3Connection,
  config: S3Config,
  path: string,
  file: PublishFile,
  onProgress: (doneBytes: number) => void,
): Promise<void> {
  const { source } = file
  if ('bytes' in source) {
    await putWhole(s3, config, path, file, source.bytes)
    return onProgress(file.size)
  }
  const handle = await openSource(source.file, path)
  try {
    if (file.size <= PART_BYTES) {
      await putWhole(s3, config, path, file, await handle.readFile())
    } else {
      await putParts(s3, config, path, file, handle, onProgress)
    }
  } finally {
    await handle.close()
  }
  onProgress(file.size)
}

async function openSource(file: string, path: string): Promise<FileHandle> {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    throw isSystemError(error) ? fileSystemError(error, path) : error
  }
}

async function putWhole(
  s3: S3Connection,
  config: S3Config,
  path: string,
  file: PublishFile,
  bytes: Uint8Array,
): Promise<void> {
  const found = { size: bytes.length, sha256: sha256(bytes) }
  if (found.sha256 !== file.sha256) throw changedSinceHashed(path, found)
  await putObject(s3, config, path, bytes, { kind: 'none' })
}

async function putParts(
  s3: S3Connection,
  config: S3Config,
  path: string,
  file: PublishFile,
  handle: FileHandle,
  onProgress: (doneBytes: number) => void,
): Promise<void> {
  const { client, bucket: Bucket, keyOf, isAmazon } = s3
  const LoadedUpload = await loadUpload()
  const signal = s3.signal()
  const stop = new AbortController()
  const abort = (): void => stop.abort()
  signal.addEventListener('abort', abort)
  const upload = new LoadedUpload({
    client,
    params: {
      Bucket,
      Key: keyOf(path),
      Body: Readable.from(checkedParts(handle, file, path), { objectMode: true, highWaterMark: 1 }),
      ...headersOf(path, config),
      ...(isAmazon ? { ChecksumAlgorithm: 'SHA256' as const } : {}),
    },
    partSize: PART_BYTES,
    queueSize: PARTS_AT_ONCE,
    abortController: stop,
  })
  upload.on('httpUploadProgress', ({ loaded = 0 }) => onProgress(Math.min(loaded, file.size)))
  try {
    await s3.guard(path, () => upload.done())
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Fails at the end of other bytes than were hashed: the upload is aborted then, and no object appears. */
async function* checkedParts(handle: FileHandle, file: PublishFile, path: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let size = 0
  for (;;) {
    // The SDK keeps a chunk that ends where a part does, and joins it with the whole next one: twice the memory. One byte
    // more at the start, and each chunk reaches just into the next part.
    const buffer = Buffer.allocUnsafe(size === 0 ? PART_BYTES + 1 : PART_BYTES)
    const bytesRead = await readFully(handle, buffer, size)
    if (bytesRead > 0) hash.update(buffer.subarray(0, bytesRead))
    size += bytesRead
    if (bytesRead < buffer.length || size === file.size) {
      const found = { size, sha256: hash.digest('hex') }
      if (found.sha256 !== file.sha256) throw changedSinceHashed(path, found)
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead)
      return
    }
    yield buffer
  }
}

async function readFully(handle: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < buffer.length) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

async function loadUpload(): Promise<typeof Upload> {
  try {
    return (await import('@aws-sdk/lib-storage')).Upload
  } catch (cause) {
    throw missingPackage(cause)
  }
}
