// Writing and checking the bytes that become a program, through one open descriptor: what was hashed is what is kept.

import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

import { MoultError } from '../manifests/index.ts'

/** Writes all of `bytes` at `position`: a full disk can take part of a write without an error. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/**
 * Makes the content durable, then checks size and hash of what is on the disk.
 * @throws MoultError ERR_BYTES_SIZE or ERR_BYTES_HASH; the reason of `signal` when that is aborted
 */
export async function assertContent(
  file: FileHandle,
  expected: { size: number; sha256: string },
  signal?: AbortSignal,
): Promise<void> {
  await file.sync()
  const { size } = await file.stat()
  if (size !== expected.size) {
    throw new MoultError('ERR_BYTES_SIZE', `${size} bytes instead of ${expected.size}`, {
      details: { size, expected: expected.size },
    })
  }
  const sha256 = await hashFile(file, signal)
  if (sha256 === expected.sha256) return
  throw new MoultError('ERR_BYTES_HASH', 'the hash is not the signed one', {
    details: { sha256, expected: expected.sha256 },
    hint: 'The file on the update host was damaged or exchanged; publish the release again.',
  })
}

/** Lower-case hexadecimal SHA-256 of the whole file. */
export async function hashFile(file: FileHandle, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const chunks = file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1024 * 1024 })
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}
