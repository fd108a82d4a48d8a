// ETags from content. Servers that build them from size and mtime answer 304 for ever when two manifests of one size
// are written within a second. The tag is the SHA-256 in hex, so it can be compared with the manifest by eye.

import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

const HASH_CHUNK_BYTES = 1024 * 1024
const HASH_ATTEMPTS = 3
/** The coarsest clock of a common file system (FAT) ticks every 2 s; most tick within 10 ms. */
export const TIMESTAMP_TICK_MS = 2_000

export interface HashedFile {
  readonly etag: string
  readonly size: number
  /** Stays the same for as long as nobody writes into this very file. */
  readonly writeMark: string
}

export interface EtagCache {
  /** Hashes each state of a file once, also for requests at the same time. `undefined`: it never holds still. */
  etagOfFile(path: string, handle: FileHandle): Promise<HashedFile | undefined>
}

export interface EtagDeps {
  clock?: () => number
  hash?: (handle: FileHandle) => Promise<string>
}

export function etagOfBytes(bytes: Buffer): string {
  return quote(createHash('sha256').update(bytes).digest('hex'))
}

/** Without ctime: a rename over the file moves that of the old one too, and whoever still reads it has done no wrong. */
export function writeMarkOf(stat: BigIntStats): string {
  return `${stat.size}:${stat.mtimeNs}`
}

/** Differs also when the path names another file, or when somebody has set the mtime back. */
function fingerprintOf(stat: BigIntStats): string {
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':')
}

export function createEtagCache({ clock = Date.now, hash = hashFile }: EtagDeps = {}): EtagCache {
  // One entry a path, so that a site that is published to for years holds no more than its files.
  const known = new Map<string, HashedFile & { readonly fingerprint: string }>()
  const inFlight = new Map<string, Promise<HashedFile | undefined>>()

  async function hashStill(path: string, handle: FileHandle): Promise<HashedFile | undefined> {
    for (let attempt = 0; attempt < HASH_ATTEMPTS; attempt++) {
      const startedAt = clock()
      const before = await handle.stat({ bigint: true })
      const digest = await hash(handle)
      const writeMark = writeMarkOf(before)
      if (writeMarkOf(await handle.stat({ bigint: true })) !== writeMark) continue

      const hashed = { etag: quote(digest), size: Number(before.size), writeMark }
      // A file written again within the same tick keeps its fingerprint. One so young is hashed anew at the next
      // request, as git does for its index, or the first hash would stand for the second content for ever.
      if (startedAt - Number(before.ctimeMs) > TIMESTAMP_TICK_MS)
        known.set(path, { ...hashed, fingerprint: fingerprintOf(before) })
      return hashed
    }
    return undefined
  }

  return {
    async etagOfFile(path, handle) {
      const fingerprint = fingerprintOf(await handle.stat({ bigint: true }))
      const cached = known.get(path)
      if (cached?.fingerprint === fingerprint) return cached

      const key = `${path}\0${fingerprint}`
      const running = inFlight.get(key)
      if (running !== undefined) return running
      const started = hashStill(path, handle).finally(() => inFlight.delete(key))
      inFlight.set(key, started)
      return started
    },
  }
}

async function hashFile(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(HASH_CHUNK_BYTES)
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, position)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(chunk.subarray(0, bytesRead))
    position += bytesRead
  }
}

function quote(digest: string): string {
  return `"${digest}"`
}
