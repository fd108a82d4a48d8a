// An opened file whose ETag belongs to its bytes. Publishers replace files by rename, so between the hash and the last
// byte a path may come to name another file. A descriptor does not: everything here reads from one descriptor, never
// from the path again.

import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { etagOfBytes, writeMarkOf, type EtagCache } from './etag.ts'

/** Up to this size a file is read whole and hashed as read: no cache to be wrong, and every manifest is below it. */
export const IN_MEMORY_MAX_BYTES = 256 * 1024
const CHUNK_BYTES = 128 * 1024

// Not to follow: the path was resolved, so a link here appeared since. Not to block: opening a FIFO would wait for ever.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

export interface Content {
  readonly etag: string
  readonly size: number
  /** The bytes from `start` to `end`, both included. MUST NOT yield a byte that the ETag does not cover. */
  read(start: number, end: number): AsyncIterable<Buffer>
  close(): Promise<void>
}

/** Somebody writes into the file in place, so that no ETag is true for all of it. */
export class ContentUnstableError extends Error {
  override readonly name = 'ContentUnstableError'
}

/** `undefined` when the path is no regular file. Rejects with the plain error of node. */
export async function openContent(path: string, etags: EtagCache): Promise<Content | undefined> {
  const handle = await open(path, OPEN_FLAGS)
  try {
    const stat = await handle.stat({ bigint: true })
    if (!stat.isFile()) {
      await handle.close()
      return undefined
    }
    if (stat.size > IN_MEMORY_MAX_BYTES) return await contentOfHandle(path, handle, etags)
    const bytes = await handle.readFile()
    await handle.close()
    return contentOfBytes(bytes)
  } catch (error) {
    await handle.close()
    throw error
  }
}

function contentOfBytes(bytes: Buffer): Content {
  return {
    etag: etagOfBytes(bytes),
    size: bytes.length,
    async *read(start, end) {
      yield bytes.subarray(start, end + 1)
    },
    close: async () => {},
  }
}

async function contentOfHandle(path: string, handle: FileHandle, etags: EtagCache): Promise<Content> {
  const hashed = await etags.etagOfFile(path, handle)
  if (hashed === undefined) throw new ContentUnstableError(`changes while it is read: ${path}`)
  return {
    etag: hashed.etag,
    size: hashed.size,
    read: (start, end) => readUnchanged(handle, hashed.writeMark, start, end),
    close: () => handle.close(),
  }
}

async function* readUnchanged(
  handle: FileHandle,
  writeMark: string,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  for (let position = start; position <= end;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position + 1))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, position)
    // After the read and before the chunk leaves: what was written in place until now is noticed here.
    const now = writeMarkOf(await handle.stat({ bigint: true }))
    if (bytesRead === 0 || now !== writeMark) throw new ContentUnstableError('changed in place while it was sent')
    position += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}
