// The disk as Windows has it. Two of its rules would break an update that knows POSIX only:
//
// - While a virus scanner, an indexer or a backup has a file open, it can be neither renamed nor removed, nor can the
//   directory that it lies in. That passes: such a call is repeated, with growing delays, for about two seconds.
// - A running executable can be neither removed nor overwritten nor renamed over, but it can be renamed. So a file that
//   stays locked is set aside as `<file>.old`, and the new one takes its name. Between the two renames a crash leaves no
//   file of that name: restoreAside puts the old one back. The `.old` goes as soon as nobody holds it.
//
// The programs themselves need none of the second: each version has a directory of its own, and the pointer to the one
// that runs is the text file `current`, not a link, for which Windows asks a privilege.

import { existsSync, lstatSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Disk } from './disk.ts'
import { isErrno } from './file-error.ts'

const PASSING = ['EPERM', 'EBUSY', 'EACCES'] as const
/** A directory that is being emptied: what was removed in it goes when the last handle is closed. */
const EMPTYING = [...PASSING, 'ENOTEMPTY'] as const
const DELAYS_MS = [10, 20, 40, 80, 150, 300, 500, 900] as const
const ASIDE = '.old'

export interface Waits {
  /** Milliseconds. */
  readonly now: (delayMs: number) => void
  readonly later: (delayMs: number) => Promise<void>
}

/** Blocks this process: between the steps of a replacement nothing else of it may run. */
const blocking = new Int32Array(new SharedArrayBuffer(4))
const REAL_WAITS: Waits = {
  now: (delayMs) => void Atomics.wait(blocking, 0, 0, delayMs),
  later: (delayMs) => sleep(delayMs),
}

export function windowsDisk(inner: Disk, waits: Waits = REAL_WAITS): Disk {
  const patiently = <T>(run: () => T): T => {
    for (const delayMs of DELAYS_MS) {
      try {
        return run()
      } catch (error) {
        if (!isErrno(error, ...PASSING)) throw error
        waits.now(delayMs)
      }
    }
    return run()
  }
  const patientlyLater = async <T>(run: () => Promise<T>, codes: readonly string[]): Promise<T> => {
    for (const delayMs of DELAYS_MS) {
      try {
        return await run()
      } catch (error) {
        if (!isErrno(error, ...codes)) throw error
        await waits.later(delayMs)
      }
    }
    return run()
  }
  return {
    writeFile: (path, content, mode) => patiently(() => inner.writeFile(path, content, mode)),
    append: (path, content, mode) => patiently(() => inner.append(path, content, mode)),
    create: (path, mode) => patientlyLater(() => inner.create(path, mode), PASSING),
    open: (path) => patientlyLater(() => inner.open(path), PASSING),
    rename(from, to) {
      try {
        patiently(() => inner.rename(from, to))
      } catch (error) {
        if (!isErrno(error, ...PASSING) || !isFile(to)) throw error
        renameOver(inner, from, to, error)
      }
    },
    remove: (path) => patiently(() => inner.remove(path)),
    removeTree: (path) => patientlyLater(() => inner.removeTree(path), EMPTYING),
    makeDirectory: (path, mode) => patiently(() => inner.makeDirectory(path, mode)),
    chmod: (path, mode) => patiently(() => inner.chmod(path, mode)),
    touch: (path, ms) => patiently(() => inner.touch(path, ms)),
    syncDirectory: (path) => inner.syncDirectory(path),
  }
}

/**
 * Ends what a crash between two renames began, and removes what was set aside and is free now.
 * @param paths files that may have been replaced so
 */
export function restoreAside(disk: Disk, paths: readonly string[]): void {
  for (const path of paths) {
    const aside = `${path}${ASIDE}`
    if (!existsSync(aside)) continue
    try {
      if (existsSync(path)) disk.remove(aside)
      else disk.rename(aside, path)
    } catch {
      // It is still held: another start will do it.
    }
  }
}

function renameOver(disk: Disk, from: string, to: string, cause: unknown): void {
  const aside = `${to}${ASIDE}`
  try {
    disk.remove(aside)
    disk.rename(to, aside)
  } catch {
    throw cause
  }
  try {
    disk.rename(from, to)
  } catch (error) {
    disk.rename(aside, to)
    throw error
  }
  try {
    disk.remove(aside)
  } catch {
    // Running or open: restoreAside removes it later.
  }
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true
}
