import { createReadStream } from 'node:fs'

export interface FoundBytes {
  offset: number
  /** The bytes around it: `before` bytes (fewer at the start of the file), the needle, and up to `after` bytes. */
  context: Buffer
}

const CHUNK_BYTES = 1 << 20

/** All places of a byte string in a file of any size, with constant memory. */
export async function findInFile(path: string, needle: Buffer, before = 0, after = 0): Promise<FoundBytes[]> {
  const found: FoundBytes[] = []
  // Carried from chunk to chunk: enough that a place on the border is whole in one window.
  const carry = needle.length - 1 + before + after
  let window = Buffer.alloc(0)
  let windowOffset = 0
  let searchFrom = 0

  const search = (limit: number): void => {
    for (;;) {
      const at = window.indexOf(needle, searchFrom)
      if (at < 0 || at + needle.length > limit) return
      const context = window.subarray(Math.max(0, at - before), at + needle.length + after)
      found.push({ offset: windowOffset + at, context: Buffer.from(context) })
      searchFrom = at + 1
    }
  }

  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('a stream without encoding gives bytes')
    window = Buffer.concat([window, chunk])
    // What lies nearer to the end than `after` is left for the next window, where its context is whole.
    search(window.length - after)
    const drop = Math.max(0, window.length - carry)
    windowOffset += drop
    searchFrom = Math.max(searchFrom, window.length - after - needle.length + 1, 0) - drop
    window = window.subarray(drop)
  }
  search(window.length)
  return found
}
