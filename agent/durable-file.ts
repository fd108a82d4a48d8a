// Small files that survive a power cut. Synchronous on purpose: between two of these calls nothing else of this process
// can run, and a file is at most some kilobytes.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

import { isErrno, withFileErrors } from './file-error.ts'

/**
 * Replaces a file: temporary file beside it, fsync, rename, fsync of the directory. Readers see the old or the new
 * content, never a part, and after the return the new one survives a power cut.
 *
 * @throws MoultError ERR_STAGE_*; the old file is then still there, unless only its directory could not be flushed: then
 * the new one is, and may not survive a power cut
 */
export function replaceFile(path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.new`
  withFileErrors(path, () => {
    try {
      rmSync(temporary, { force: true })
      const file = openSync(temporary, 'wx', mode)
      try {
        writeWhole(file, Buffer.from(content))
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(temporary, path)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
    syncDirectory(dirname(path))
  })
}

/** A full disk can take part of one write without an error: only the sum of the return values tells. */
function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}

/** Makes renames, creations and deletions in a directory durable. Windows cannot open one, and has no need to. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/**
 * The content of a small file; undefined when there is none. One that is larger than `maxBytes` reads as empty, which
 * every format here takes for damaged.
 *
 * @throws MoultError ERR_STAGE_* when the file is there and cannot be read: that MUST NOT pass for absent
 */
export function readSmallFile(path: string, maxBytes = 1024 * 1024): Buffer | undefined {
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

/** The same where nothing is lost with a file that cannot be read: something else stands in for it. */
export function readIfPossible(path: string, maxBytes?: number): Buffer | undefined {
  try {
    return readSmallFile(path, maxBytes)
  } catch {
    return undefined
  }
}
