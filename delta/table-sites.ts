// Sites in tables with records of one size: the index of unwind records, symbols, words relative to an image.

import type { AddressSpace, Region } from './executable-map.ts'
import { readWord, SITE_KINDS, type SiteList, type SitePiece } from './operand-sites.ts'

const IMAGE_ALIGNMENT = 0x10000
const ELF_SYMBOL_BYTES = 24
const MACH_SYMBOL_BYTES = 16

/** .eh_frame_hdr: a self-relative word, a count, then pairs relative to the table itself. */
export function findIndexSites(piece: SitePiece, space: AddressSpace, sites: SiteList): void {
  const { bytes, from, to, place, region } = piece
  const image = space.imageOf(region)
  const first = (4 - ((place - region.start) & 3)) & 3
  for (let at = from + first; at + 4 <= to; at += 4) {
    const offset = place + at - from - region.start
    if (offset === 0 || offset === 8) continue
    const base = offset === 4 ? region.start + 4 : region.start
    const target = image.placeOf(space.addressOf(base) + readWord(bytes, at))
    if (target >= 0) sites.add(at, SITE_KINDS.baseRelative, target, base)
  }
}

/** Words relative to the image's base (PE): functions and their unwind data. */
export function findImageSites(piece: SitePiece, space: AddressSpace, sites: SiteList): void {
  const { bytes, from, to, place, region } = piece
  const image = space.imageOf(region)
  const base = image.lowest - (image.lowest % IMAGE_ALIGNMENT)
  for (let at = from + ((4 - (place & 3)) & 3); at + 4 <= to; at += 4) {
    const value = readWord(bytes, at) >>> 0
    const target = value === 0 ? -1 : image.placeOf(base + value)
    if (target >= 0) sites.add(at, SITE_KINDS.symbol, target, 0)
  }
}

/** ELF symbols: name (an offset into the next region), value, size. */
export function findSymbolSites(piece: SitePiece, space: AddressSpace, sites: SiteList): void {
  const { bytes, from, to, place, region } = piece
  const image = space.imageOf(region)
  const names = regionAfter(piece, space)
  const phase = (place - region.start) % ELF_SYMBOL_BYTES
  for (let at = from - phase; at < to; at += ELF_SYMBOL_BYTES) {
    if (at >= from && at + 4 <= to) addName(bytes, at, names, sites)
    if (at + 8 < from || at + ELF_SYMBOL_BYTES > to) continue
    if (readWord(bytes, at + 12) !== 0) continue
    const value = readWord(bytes, at + 8) >>> 0
    const target = value === 0 ? -1 : image.placeOf(value)
    if (target < 0) continue
    sites.add(at + 8, SITE_KINDS.symbol, target, 0)
    const size = readWord(bytes, at + 16)
    if (size <= 0 || readWord(bytes, at + 20) !== 0) continue
    const end = image.placeOf(value + size)
    if (end >= 0) sites.add(at + 16, SITE_KINDS.extent, end, target)
  }
}

/** Mach-O symbols: name (an offset into the next region), type, value. */
export function findMachSymbolSites(piece: SitePiece, space: AddressSpace, sites: SiteList): void {
  const { bytes, from, to, place, region } = piece
  const image = space.imageOf(region)
  const names = regionAfter(piece, space)
  const phase = (place - region.start) % MACH_SYMBOL_BYTES
  for (let at = from - phase; at < to; at += MACH_SYMBOL_BYTES) {
    if (at >= from && at + 4 <= to) addName(bytes, at, names, sites)
    if (at + 8 < from || at + MACH_SYMBOL_BYTES > to) continue
    const value = (readWord(bytes, at + 8) >>> 0) + (readWord(bytes, at + 12) >>> 0) * 4294967296
    const target = value === 0 ? -1 : image.placeOf(value)
    if (target >= 0) sites.add(at + 8, SITE_KINDS.symbol, target, 0)
  }
}

function regionAfter({ place }: SitePiece, space: AddressSpace): Region | undefined {
  return space.regions[space.regionIndexAt(place) + 1]
}

function addName(bytes: Uint8Array, at: number, names: Region | undefined, sites: SiteList): void {
  if (names === undefined) return
  const name = readWord(bytes, at)
  if (name > 0 && names.start + name < names.end) sites.add(at, SITE_KINDS.name, names.start + name, names.start)
}
