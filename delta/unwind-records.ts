// The records of .eh_frame: where each begins is only known by walking them from the first.

import type { AddressSpace, Region } from './executable-map.ts'
import type { OldPages } from './old-pages.ts'
import { readWord, SITE_KINDS, type SiteList, type SitePiece } from './operand-sites.ts'

const WALK_BYTES = 1 << 16
/** Four times what the largest programs have, for all regions together: a hostile patch may call anything unwind
    records. */
export const RECORDS_MAX = 1 << 21

export class UnwindRecords {
  #starts = new Int32Array(0)
  readonly #region: Region

  constructor(region: Region) {
    this.#region = region
  }

  get count(): number {
    return this.#starts.length
  }

  /** Walks at most `most` records. */
  *prepare(pages: OldPages, most: number): Generator<undefined> {
    const region = this.#region
    const bytes = new Uint8Array(WALK_BYTES)
    let starts = new Int32Array(1024)
    let count = 0
    let loaded = -WALK_BYTES
    for (let place = region.start; place + 8 <= region.end && count < most;) {
      if (place < loaded || place + 4 > loaded + WALK_BYTES) {
        yield
        loaded = place
        pages.copy(bytes, 0, place, Math.min(WALK_BYTES, region.end - place))
      }
      const length = readWord(bytes, place - loaded)
      if (length <= 0 || place + 4 + length > region.end) break
      if (count === starts.length) {
        const larger = new Int32Array(count * 2)
        larger.set(starts)
        starts = larger
      }
      starts[count++] = place
      place += 4 + length
    }
    this.#starts = starts.subarray(0, count)
  }

  find({ bytes, from, to, place, region }: SitePiece, space: AddressSpace, sites: SiteList): void {
    const starts = this.#starts
    const image = space.imageOf(region)
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((starts[middle] as number) < place) low = middle + 1
      else high = middle
    }
    for (let index = low; index < starts.length; index++) {
      const start = starts[index] as number
      const at = start - place + from
      if (at + 16 > to) break
      const back = readWord(bytes, at + 4)
      if (back <= 0 || back > start) continue
      sites.add(at + 4, SITE_KINDS.backward, start + 4 - back, 0)
      const begin = image.placeOf(space.addressOf(start + 8) + readWord(bytes, at + 8))
      if (begin < 0) continue
      sites.add(at + 8, SITE_KINDS.selfRelative, begin, 0)
      const end = image.placeOf(space.addressOf(begin) + readWord(bytes, at + 12))
      if (end >= 0) sites.add(at + 12, SITE_KINDS.extent, end, begin)
      if (at + 21 > to || bytes[at + 16] !== 4) continue
      const data = readWord(bytes, at + 17)
      const target = data === 0 ? -1 : image.placeOf(space.addressOf(start + 17) + data)
      if (target >= 0) sites.add(at + 17, SITE_KINDS.selfRelative, target, 0)
    }
  }
}
