// Small files that survive a power cut. Synchronous on purpose: between two of these calls nothing else of this process
// can run, and a file is at most some kilobytes.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

import { isErrno, withFileErrors } from './file-error.ts'

/**
 * Replaces a file: temporary file beside it, fsync, rename, fsync of the directory. Readers see the old or the new
 * content, never a part, and after the return the new one survives a power cut.
 *
 * @throws MoultError ERR_STAGE_*; the old file is then still there
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

/** The content of a small file, or undefined when it is absent or unreadable; too large counts as unreadable. */
export function readSmallFile(path: string, maxBytes = 1024 * 1024): Buffer | undefined {
  try {
    const bytes = readFileSync(path)
    return bytes.length <= maxBytes ? bytes : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EIO', 'ELOOP')) return undefined
    throw error
  }
}
