// arm64: branches, and addresses built in two steps (a page by ADRP, the rest by ADD or the offset of a load or store).
// These fields do not fill their bytes, so a site here is a field of a word; the other bits stay bytes.

import { REGION_KINDS, type AddressSpace } from './executable-map.ts'
import { readWord, SITE_KINDS, type SiteList, type SitePiece } from './operand-sites.ts'

const LOOK_AHEAD_WORDS = 8

export function findArm64Sites(piece: SitePiece, space: AddressSpace, sites: SiteList): void {
  const { bytes, from, to, place, region } = piece
  const image = space.imageOf(region)
  const bias = space.addressOf(place) - from
  const pages = new Float64Array(32).fill(-1)
  for (let at = from + ((4 - (place & 3)) & 3); at + 4 <= to; at += 4) {
    const word = readWord(bytes, at)
    if ((word & 0x7c000000) === 0x14000000) {
      const target = image.placeOf(bias + at + ((word << 6) >> 4))
      if (target >= 0 && space.kindOf(target) === REGION_KINDS.arm64Code) sites.add(at, SITE_KINDS.armBranch, target, 0)
    } else if (((word & 0x9f000000) | 0) === (0x90000000 | 0)) {
      const register = word & 31
      const page = pageOf(bias + at) + pageOffset(word)
      pages[register] = page
      const use = firstUse(bytes, at + 4, Math.min(to, at + 4 + LOOK_AHEAD_WORDS * 4), register)
      const target = image.placeOf(page + Math.max(0, use))
      if (target >= 0) sites.add(at, SITE_KINDS.armPage, target, 0)
    } else {
      const low = lowOffset(word)
      const page = low < 0 ? -1 : (pages[(word >>> 5) & 31] as number)
      if (page < 0) continue
      const target = image.placeOf(page + low)
      if (target >= 0) sites.add(at, SITE_KINDS.armLow, target, 0)
    }
  }
}

/** The address (or, for the second step, its low twelve bits) that a word stands for at `address`; -1: another kind. */
export function readArmField(kind: number, word: number, address: number): number {
  if (kind === SITE_KINDS.armBranch) return (word & 0x7c000000) === 0x14000000 ? address + ((word << 6) >> 4) : -1
  if (kind === SITE_KINDS.armPage)
    return ((word & 0x9f000000) | 0) === (0x90000000 | 0) ? pageOf(address) + pageOffset(word) : -1
  return lowOffset(word)
}

/** The word with its field made to stand for `target` at `address`. */
export function writeArmField(kind: number, word: number, address: number, target: number): number {
  if (kind === SITE_KINDS.armBranch) return (word & 0xfc000000) | (((target - address) >> 2) & 0x3ffffff)
  if (kind === SITE_KINDS.armPage) {
    const pages = Math.floor((pageOf(target) - pageOf(address)) / 4096)
    return (word & 0x9f00001f) | ((pages & 3) << 29) | (((pages >> 2) & 0x7ffff) << 5)
  }
  const offset = Math.floor((target % 4096) / 2 ** scaleOf(word))
  return (word & 0xffc003ff) | ((offset & 0xfff) << 10)
}

const pageOf = (address: number): number => address - (address % 4096)

function pageOffset(word: number): number {
  const pages = (((word >> 5) << 13) >> 11) | ((word >>> 29) & 3)
  return pages * 4096
}

function scaleOf(word: number): number {
  if ((word & 0x7f800000) === 0x11000000) return 0
  // A 128-bit vector has size 0 and the upper bit of its opcode set.
  return (word & 0x04800000) === 0x04800000 && word >>> 30 === 0 ? 4 : word >>> 30
}

/** The offset in ADD (immediate, not shifted) or in a load or store with an unsigned offset; -1: neither. */
function lowOffset(word: number): number {
  if ((word & 0x7fc00000) === 0x11000000) return (word >>> 10) & 0xfff
  if ((word & 0x3b000000) === 0x39000000) return (((word >>> 10) & 0xfff) * 2 ** scaleOf(word)) % 4096
  return -1
}

function firstUse(bytes: Uint8Array, from: number, to: number, register: number): number {
  for (let at = from; at + 4 <= to; at += 4) {
    const word = readWord(bytes, at)
    if (((word >>> 5) & 31) !== register) continue
    const low = lowOffset(word)
    if (low >= 0) return low
  }
  return -1
}
