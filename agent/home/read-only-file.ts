// A file that is read in pieces from anywhere, and was hashed before: both through one descriptor, so that what was hashed
// is what is read, whatever takes its name meanwhile.

import { constants, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createHash } from 'node:crypto'

import { MoultError } from '../../manifests/index.ts'

/** Neither a link nor, for as long as a writer is awaited, a pipe. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const HASH_CHUNK_BYTES = 1024 * 1024

export interface ReadOnlyFile {
  /** Bytes, when it was opened. */
  readonly length: number
  /** Fills `target` with what stands from `position` on; synchronous. @throws MoultError ERR_STAGE_IO, or a file error */
  read(target: Uint8Array, position: number): void
  /** Lower-case hexadecimal SHA-256 of all of it. @throws as `read`, or the reason of `signal` */
  hash(signal?: AbortSignal): Promise<string>
  close(): Promise<void>
}

/** @throws MoultError ERR_STAGE_IO when it is no regular file, or the error of node:fs */
export async function openReadOnly(path: string): Promise<ReadOnlyFile> {
  const handle = await open(path, FLAGS)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new MoultError('ERR_STAGE_IO', `not a regular file: ${path}`)
    return {
      length: stat.size,
      read(target, position) {
        for (let done = 0; done < target.length;) {
          const count = readSync(handle.fd, target, done, target.length - done, position + done)
          if (count === 0) throw shortened(path)
          done += count
        }
      },
      async hash(signal) {
        const hash = createHash('sha256')
        const chunk = Buffer.allocUnsafe(Math.min(HASH_CHUNK_BYTES, stat.size))
        for (let done = 0; done < stat.size;) {
          signal?.throwIfAborted()
          const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, stat.size - done), done)
          if (bytesRead === 0) throw shortened(path)
          hash.update(chunk.subarray(0, bytesRead))
          done += bytesRead
        }
        return hash.digest('hex')
      },
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

function shortened(path: string): MoultError {
  return new MoultError('ERR_STAGE_IO', `shorter than it was: ${path}`)
}
