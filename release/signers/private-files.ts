// Files that hold a secret: closed to others from before the first byte, and never written over what is there.

import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { MoultError } from '../../manifests/index.ts'
import { syncFolder } from '../durable-files.ts'
import { isSystemError } from '../file-system-error.ts'

const PRIVATE_FILE_MODE = 0o600
const PRIVATE_FOLDER_MODE = 0o700

/** @throws MoultError ERR_USAGE_EXISTS when anything has this name, ERR_USAGE_INVALID where it cannot be written */
export async function createPrivateFile(path: string, text: string): Promise<void> {
  await guard(path, async () => {
    await mkdir(dirname(path), { recursive: true, mode: PRIVATE_FOLDER_MODE })
    await writeNew(path, text, PRIVATE_FILE_MODE)
  })
}

/** The same for a file that everybody may read. */
export async function createPublicFile(path: string, text: string): Promise<void> {
  await guard(path, () => writeNew(path, text, 0o644))
}

/**
 * Puts a new file in the place of a private one at one instant. A killed run leaves the old file whole, and beside it at
 * most a file that no other user can read.
 * @param check is called with the path of the written file before it takes the place of the old one
 */
export async function replacePrivateFile(
  path: string,
  text: string,
  check: (written: string) => Promise<void>,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  await guard(path, async () => {
    await writeNew(temporary, text, PRIVATE_FILE_MODE)
    try {
      await check(temporary)
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    await syncFolder(dirname(path))
  })
}

/** The mode is given to the call that makes the file: there is no moment at which another user could open it. */
async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
  await syncFolder(dirname(path))
}

async function guard(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    const { code } = cause
    if (code === 'EEXIST') {
      throw new MoultError('ERR_USAGE_EXISTS', `already exists: ${path}`, {
        hint: 'A key that is overwritten cannot be had back. Take another name.',
        details: { path },
        cause,
      })
    }
    throw new MoultError('ERR_USAGE_INVALID', `cannot be written (${code}): ${path}`, {
      details: { path, code },
      cause,
    })
  }
}
