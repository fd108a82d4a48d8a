// Files that are whole or absent, also after a power cut: a temporary file beside the target, fsync, one link or rename,
// fsync of the folder.

import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface Digest {
  readonly size: number
  readonly sha256: string
}

const COPY_CHUNK_BYTES = 1024 * 1024
const TEMPORARY = /^\.(.+)\.[0-9a-f]{12}\.tmp$/

/** Hashes a file and copies it in the same pass, so that what was hashed is what was copied. */
export async function copyAndHash(
  from: FileHandle,
  to: FileHandle | undefined,
  signal?: AbortSignal,
  onProgress?: (doneBytes: number) => void,
): Promise<Digest> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(COPY_CHUNK_BYTES)
  let size = 0
  for (;;) {
    signal?.throwIfAborted()
    const { bytesRead } = await from.read(buffer, 0, buffer.length, size)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    if (to !== undefined) await writeAll(to, buffer.subarray(0, bytesRead), size)
    size += bytesRead
    onProgress?.(size)
  }
  return { size, sha256: hash.digest('hex') }
}

/** A write to a full disk can be short without an error: what is left is written again, and that one fails. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** Undefined when there is no such file. */
export async function digestOfFile(path: string, signal?: AbortSignal): Promise<Digest | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return await copyAndHash(file, undefined, signal)
  } finally {
    await file.close()
  }
}

export interface DurableWrite {
  /** Fills the temporary file. */
  readonly fill: (file: FileHandle) => Promise<void>
  /** `create` fails with EEXIST where the target exists; `replace` takes its place at one instant. */
  readonly how: 'create' | 'replace'
  /** Seconds since 1970, set before the file gets its name. */
  readonly mtime?: number
}

export async function writeDurably(target: string, { fill, how, mtime }: DurableWrite): Promise<void> {
  await makeFolder(dirname(target))
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  const file = await open(temporary, 'wx', 0o644)
  try {
    try {
      await fill(file)
      if (mtime !== undefined) await file.utimes(mtime, mtime)
      await file.sync()
    } finally {
      await file.close()
    }
    if (how === 'replace') await rename(temporary, target)
    else await link(temporary, target)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(dirname(target))
}

/** True for what a killed write left, and for what one that runs now has not finished. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/** Removes what a killed write of this target left beside it. Only for who holds the lock. */
export async function removeLeftovers(target: string): Promise<void> {
  const folder = dirname(target)
  for (const name of await readdir(folder).catch(() => [])) {
    if (TEMPORARY.exec(name)?.[1] === basename(target)) await rm(join(folder, name), { force: true })
  }
}

async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders, and its renames are durable by themselves.
  if (process.platform === 'win32') return
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
