// A signed Mach-O file ends with the hashes of its own pages. They look like noise, but whoever has made the pages knows
// them: both sides compute them from the new file as it goes by.

import { createHash, type Hash } from 'node:crypto'
import type { Covers } from './cover-map.ts'
import { REGION_KINDS, type Region } from './executable-map.ts'
import { CoverList } from './patch-layout.ts'

export const HASH_BYTES = 32
const HASHED_PAGE_BYTES = 4096
const TABLES_MAX = 8
const SHARE_MAX = 64

type Table = { region: Region; base: number; hashes: Uint8Array; hash: Hash | undefined }

export class PageHashes {
  readonly #tables: Table[] = []
  #reached = 0

  constructor(regions: readonly Region[], newSize: number) {
    for (const region of regions) {
      // A hostile patch must not claim tables for the whole file.
      if (region.kind !== REGION_KINDS.pageHashes || this.#tables.length === TABLES_MAX) continue
      if (region.end - region.start > newSize / SHARE_MAX) continue
      const hashes = new Uint8Array(region.end - region.start)
      this.#tables.push({ region, base: Math.max(0, region.address), hashes, hash: undefined })
    }
  }

  /** What the hash at `place` should be; undefined when no hash begins there, or it does not end before `limit`. */
  expectedAt(place: number, limit: number): Uint8Array | undefined {
    for (const { region, hashes } of this.#tables) {
      const offset = place - region.start
      if (offset < 0 || place + HASH_BYTES > region.end) continue
      if (offset % HASH_BYTES !== 0 || place + HASH_BYTES > limit) return undefined
      return hashes.subarray(offset, offset + HASH_BYTES)
    }
    return undefined
  }

  get used(): boolean {
    return this.#tables.length > 0
  }

  /** Whether `place` lies in a table. */
  holds(place: number): boolean {
    return this.#tables.some(({ region }) => region.start <= place && place < region.end)
  }

  /** Takes the next bytes of the new file. */
  feed(bytes: Uint8Array): void {
    for (const table of this.#tables) this.#feedTable(table, bytes)
    this.#reached += bytes.length
  }

  #feedTable(table: Table, bytes: Uint8Array): void {
    const { base, hashes } = table
    let at = Math.max(0, base - this.#reached)
    while (at < bytes.length) {
      const offset = this.#reached + at - base
      const slot = Math.floor(offset / HASHED_PAGE_BYTES) * HASH_BYTES
      if (slot + HASH_BYTES > hashes.length) return
      const count = Math.min(bytes.length - at, HASHED_PAGE_BYTES - (offset % HASHED_PAGE_BYTES))
      table.hash ??= createHash('sha256')
      table.hash.update(bytes.subarray(at, at + count))
      at += count
      if ((offset + count) % HASHED_PAGE_BYTES === 0) {
        hashes.set(table.hash.digest(), slot)
        table.hash = undefined
      }
    }
  }
}

/** The covers without what lies in tables of hashes: those are computed, never copied. */
export function outsideHashes(covers: Covers, regions: readonly Region[]): CoverList {
  const tables = regions.filter((region) => region.kind === REGION_KINDS.pageHashes)
  const result = new CoverList()
  for (let index = 0; index < covers.count; index++) {
    let start = covers.news[index] as number
    const shift = (covers.olds[index] as number) - start
    const end = start + (covers.lengths[index] as number)
    for (const table of tables) {
      if (table.end <= start || table.start >= end) continue
      if (table.start > start) result.add(start, start + shift, table.start - start)
      start = Math.min(end, table.end)
    }
    if (start < end) result.add(start, start + shift, end - start)
  }
  return result
}
