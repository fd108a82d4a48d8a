// Checking the bytes that become a program, through the descriptor that they were written by: what was hashed is kept.

import { createHash } from 'node:crypto'

import { MoultError } from '../../manifests/index.ts'
import type { DiskFile } from './disk.ts'

/**
 * Makes the content durable, then checks size and hash of what is on the disk.
 * @throws MoultError ERR_BYTES_SIZE or ERR_BYTES_HASH; the reason of `signal` when that is aborted
 */
export async function assertContent(
  file: DiskFile,
  expected: { size: number; sha256: string },
  signal?: AbortSignal,
): Promise<void> {
  await file.sync()
  const size = await file.size()
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
export async function hashFile(file: DiskFile, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of file.read()) {
    signal?.throwIfAborted()
    hash.update(chunk)
  }
  return hash.digest('hex')
}
