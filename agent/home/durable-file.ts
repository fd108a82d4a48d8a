// Small files that survive a power cut. Synchronous on purpose: between two of these calls nothing else of this process
// can run, and a file is at most some kilobytes.

import { constants, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

import type { Disk } from './disk.ts'
import { isErrno, withFileErrors } from './file-error.ts'

const SMALL_MAX_BYTES = 1024 * 1024
/** Numbers, as a pipe that takes the place of the file meanwhile must not be waited for. */
const READ_AT_ONCE = (constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)) as unknown as string

/**
 * Replaces a file: temporary file beside it, fsync, rename, fsync of the directory. Readers see the old or the new
 * content, never a part, and after the return the new one survives a power cut.
 *
 * @throws MoultError ERR_STAGE_*; the old file is then still there, unless only its directory could not be flushed: then
 * the new one is, and may not survive a power cut
 */
export function replaceFile(disk: Disk, path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.new`
  withFileErrors(path, () => {
    try {
      disk.remove(temporary)
      disk.writeFile(temporary, Buffer.from(content), mode)
      disk.rename(temporary, path)
    } catch (error) {
      removeRest(disk, temporary)
      throw error
    }
    disk.syncDirectory(dirname(path))
  })
}

/** Cleaning MUST NOT hide the error that made it necessary. */
function removeRest(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch {
    // The next replacement of the file removes it first.
  }
}

/**
 * The content of a small file; undefined when there is none. One that is larger than `maxBytes` reads as empty, which
 * every format here takes for damaged.
 *
 * @throws MoultError ERR_STAGE_* when the file is there and cannot be read: that MUST NOT pass for absent
 */
export function readSmallFile(path: string, maxBytes = SMALL_MAX_BYTES): Buffer | undefined {
  return withFileErrors(path, () => {
    try {
      const bytes = readFileSync(path)
      return bytes.length <= maxBytes ? bytes : Buffer.alloc(0)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  })
}

/**
 * The same where nothing is lost with a file that cannot be read: something else stands in for it. Some lie where the
 * settings say and others can write, so only a regular file is read: a pipe would hold up the whole program.
 */
export function readIfPossible(path: string, maxBytes = SMALL_MAX_BYTES): Buffer | undefined {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) return undefined
    return stat.size <= maxBytes ? readFileSync(path, { flag: READ_AT_ONCE }) : Buffer.alloc(0)
  } catch {
    return undefined
  }
}
