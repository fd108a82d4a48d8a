// Jump tables: words relative to the start of their table, which is a place some instruction loads the address of.

import { REGION_KINDS, type AddressSpace, type Region } from './executable-map.ts'
import type { OldPages } from './old-pages.ts'
import { readWord, SITE_KINDS, type SiteList, type SitePiece } from './operand-sites.ts'

const SCAN_BYTES = 1 << 16
const LOOK_BACK_BYTES = 4096

export class JumpTables {
  readonly #space: AddressSpace
  readonly #pages: OldPages
  /** A bit for every aligned word of the file whose address is loaded somewhere. */
  #loaded = new Uint8Array(0)
  #recentBase = -1
  #recentEnd = -1

  constructor(space: AddressSpace, pages: OldPages) {
    this.#space = space
    this.#pages = pages
  }

  *prepare(): Generator<undefined> {
    const pages = this.#pages
    this.#loaded = new Uint8Array((pages.length >>> 5) + 1)
    const bytes = new Uint8Array(SCAN_BYTES + 8)
    for (const region of this.#space.regions) {
      if (region.kind !== REGION_KINDS.x86Code || region.address < 0) continue
      for (let place = region.start; place < region.end; place += SCAN_BYTES) {
        const size = Math.min(SCAN_BYTES + 8, region.end - place)
        pages.copy(bytes, 0, place, size)
        this.#scan(bytes, Math.min(size - 6, SCAN_BYTES), region, place)
        yield
      }
    }
  }

  #scan(bytes: Uint8Array, size: number, region: Region, place: number): void {
    const space = this.#space
    const loaded = this.#loaded
    const image = space.imageOf(region)
    const address = region.address + place - region.start
    for (let at = 0; at < size; at++) {
      // lea r64, [rip + n]
      if (bytes[at] !== 0x8d || ((bytes[at + 1] as number) & 0xc7) !== 0x05) continue
      const target = image.placeOf(address + at + 6 + readWord(bytes, at + 2))
      if (target < 0 || (target & 3) !== 0 || target >>> 5 >= loaded.length) continue
      const kind = space.kindOf(target)
      if (kind !== REGION_KINDS.constants && kind !== REGION_KINDS.pointers) continue
      loaded[target >>> 5] = (loaded[target >>> 5] as number) | (1 << ((target >>> 2) & 7))
    }
  }

  #isLoaded(place: number): boolean {
    return ((this.#loaded[place >>> 5] as number) & (1 << ((place >>> 2) & 7))) !== 0
  }

  /** Adds the words of tables, and 64-bit pointers between them. */
  find({ bytes, from, to, place, region }: SitePiece, sites: SiteList): void {
    const space = this.#space
    const image = space.imageOf(region)
    let at = from + ((4 - (place & 3)) & 3)
    if (at + 4 > to) return
    let base = this.#baseBefore(place + at - from)
    for (; at + 4 <= to; at += 4) {
      const here = place + at - from
      if (this.#isLoaded(here)) base = here
      if (base < 0 && ((here & 4) !== 0 || bytes[at + 7] !== 0)) continue
      const value = readWord(bytes, at)
      if (base >= 0) {
        const target = value === 0 ? -1 : image.placeOf(space.addressOf(base) + value)
        if (target >= 0 && isCode(space.kindOf(target))) {
          sites.add(at, SITE_KINDS.baseRelative, target, base)
          continue
        }
        base = -1
      }
      if ((here & 4) === 0 && at + 8 <= to && value > 0xfff && readWord(bytes, at + 4) === 0) {
        const target = image.placeOf(value)
        if (target < 0) continue
        sites.add(at, SITE_KINDS.pointer, target, 0)
        at += 4
      }
    }
    this.#recentBase = base
    this.#recentEnd = place + to - from
  }

  #baseBefore(place: number): number {
    if (this.#recentEnd === place) return this.#recentBase
    for (let seek = place; seek >= 0 && seek > place - LOOK_BACK_BYTES; seek -= 4) if (this.#isLoaded(seek)) return seek
    return -1
  }
}

const isCode = (kind: number): boolean => kind === REGION_KINDS.x86Code || kind === REGION_KINDS.arm64Code
