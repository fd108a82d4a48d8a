// Which places of a stretch of the old file hold addresses, by what its region is.

import { findArm64Sites } from './arm64-sites.ts'
import { REGION_KINDS, type AddressSpace, type Region } from './executable-map.ts'
import { FUNCS_MAX, GoTables } from './go-tables.ts'
import { JumpTables } from './jump-tables.ts'
import type { OldPages } from './old-pages.ts'
import {
  findPointerSites,
  findUnalignedSites,
  findX86Sites,
  SITE_KINDS,
  type SiteList,
  type SitePiece,
} from './operand-sites.ts'
import { findImageSites, findIndexSites, findMachSymbolSites, findSymbolSites } from './table-sites.ts'
import { RECORDS_MAX, UnwindRecords } from './unwind-records.ts'

export class SiteFinder {
  readonly #space: AddressSpace
  readonly #pages: OldPages
  readonly #unwind = new Map<Region, UnwindRecords>()
  readonly #go = new Map<Region, GoTables>()
  readonly #tables: JumpTables

  constructor(space: AddressSpace, pages: OldPages) {
    this.#space = space
    this.#pages = pages
    this.#tables = new JumpTables(space, pages)
  }

  /** Reads what must be known of the old file before the first piece, in short steps. */
  *prepare(): Generator<undefined> {
    const { regions } = this.#space
    if (regions.some((region) => region.kind === REGION_KINDS.constants)) yield* this.#tables.prepare()
    const withGo = new Set<number>()
    let records = 0
    let funcs = 0
    for (const region of regions) {
      if (region.kind === REGION_KINDS.unwind) {
        const unwind = new UnwindRecords(region)
        yield* unwind.prepare(this.#pages, RECORDS_MAX - records)
        records += unwind.count
        this.#unwind.set(region, unwind)
      }
      // One table to an executable: finding its base reads much of it.
      if (region.kind === REGION_KINDS.goTable && !withGo.has(region.image)) {
        withGo.add(region.image)
        const tables = new GoTables(region, this.#space)
        yield* tables.prepare(this.#pages, FUNCS_MAX - funcs)
        funcs += tables.count
        this.#go.set(region, tables)
      }
    }
  }

  /** Fills `sites` for old bytes [place, place + size), which stand at the front of `bytes`. */
  find(bytes: Uint8Array, size: number, place: number, sites: SiteList): void {
    sites.clear()
    const { regions } = this.#space
    for (let index = this.#space.regionIndexAt(place); index < regions.length; index++) {
      const region = regions[index] as Region
      if (region.start >= place + size) break
      const from = Math.max(0, region.start - place)
      const to = Math.min(size, region.end - place)
      if (from < to) this.#findInRegion({ bytes, from, to, place: place + from, region }, sites)
    }
  }

  #findInRegion(piece: SitePiece, sites: SiteList): void {
    const space = this.#space
    const { bytes, from, to, place, region } = piece
    switch (region.kind) {
      case REGION_KINDS.x86Code:
        return findX86Sites(piece, space, sites)
      case REGION_KINDS.arm64Code:
        return findArm64Sites(piece, space, sites)
      case REGION_KINDS.imageWords:
        return findImageSites(piece, space, sites)
      case REGION_KINDS.machSymbols:
        return findMachSymbolSites(piece, space, sites)
      case REGION_KINDS.constants:
        return this.#tables.find(piece, sites)
      case REGION_KINDS.goTable:
        return this.#go.get(region)?.find(bytes, from, to, place, sites)
      case REGION_KINDS.debug:
        return findUnalignedSites(piece, space, sites)
      case REGION_KINDS.pointers:
        return findPointerSites(piece, space, SITE_KINDS.pointer, sites)
      case REGION_KINDS.relocations:
        return findPointerSites(piece, space, SITE_KINDS.relocation, sites)
      case REGION_KINDS.unwind:
        return this.#unwind.get(region)?.find(piece, space, sites)
      case REGION_KINDS.unwindIndex:
        return findIndexSites(piece, space, sites)
      case REGION_KINDS.symbols:
        return findSymbolSites(piece, space, sites)
      default:
    }
  }
}
