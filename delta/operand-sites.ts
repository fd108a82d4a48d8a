// Where addresses are kept in code and tables, and which place of the old file each one names.

import { REGION_KINDS, type AddressSpace, type Region } from './executable-map.ts'

/** A stretch of old bytes: [from, to) of `bytes`, which lies at `place` of the old file, inside `region`. */
export type SitePiece = { bytes: Uint8Array; from: number; to: number; place: number; region: Region }

export const SITE_KINDS = {
  call: 0,
  jump: 1,
  branch: 2,
  load: 3,
  access: 4,
  pointer: 5,
  backward: 6,
  selfRelative: 7,
  extent: 8,
  baseRelative: 9,
  name: 10,
  symbol: 11,
  relocation: 12,
  immediate: 13,
  debug: 14,
  indexed: 15,
  armBranch: 16,
  armPage: 17,
  armLow: 18,
} as const

export const SITE_KIND_COUNT = 20
/** Sites do not overlap, and a chunk has 32 KiB. */
export const SITES_MAX = 8192

const POINTER_LOW = 0x1000
const UNALIGNED_LOW = 0x10000

/** Sites of one chunk, in order. `targets` are places in the file's own space. */
export class SiteList {
  count = 0
  #reached = 0
  readonly offsets = new Int32Array(SITES_MAX)
  readonly kinds = new Uint8Array(SITES_MAX)
  readonly targets = new Int32Array(SITES_MAX)
  /** For a value relative to something: the place it is relative to. */
  readonly bases = new Int32Array(SITES_MAX)

  clear(): void {
    this.count = 0
    this.#reached = 0
  }

  /** A site that overlaps the one before it is left out: broken tables may claim anything. */
  add(offset: number, kind: number, target: number, base: number): void {
    if (offset < this.#reached) return
    this.#reached = offset + 4
    const index = this.count++
    this.offsets[index] = offset
    this.kinds[index] = kind
    this.targets[index] = target
    this.bases[index] = base
  }
}

const PLAIN = 0
const BRANCH = 1
const ESCAPE = 2
const RELATIVE = 3
const IMMEDIATE = 4
const INDEXED = 5
const DISPLACED = 6
const STORED = 7
const COMPARED = 8

const movable = new Uint8Array(256)
movable[0xe8] = BRANCH
movable[0xe9] = BRANCH
movable[0x0f] = ESCAPE
for (let register = 0; register < 8; register++) movable[0x05 | (register << 3)] = RELATIVE

// What is linked to a fixed address also has 32-bit addresses as constants and as bases of arrays.
const fixed = movable.slice()
for (let register = 0; register < 8; register++) {
  fixed[0xb8 | register] = IMMEDIATE
  fixed[0x04 | (register << 3)] = INDEXED
  for (let base = 0; base < 8; base++) fixed[0x80 | (register << 3) | base] ||= DISPLACED
}
fixed[0x68] = IMMEDIATE
fixed[0x3d] = IMMEDIATE
fixed[0xc7] = STORED
fixed[0x81] = COMPARED

// The opcodes in front of a memory operand with a 32-bit base; anything else there is mostly not an operand at all.
const accesses = new Uint8Array(256)
for (const opcode of [
  0x01, 0x03, 0x09, 0x0b, 0x10, 0x11, 0x12, 0x14, 0x16, 0x21, 0x23, 0x28, 0x29, 0x2b, 0x2e, 0x2f, 0x31, 0x33, 0x38,
  0x39, 0x3a, 0x3b, 0x58, 0x59, 0x5c, 0x5e, 0x63, 0x6e, 0x6f, 0x7e, 0x7f, 0x80, 0x83, 0x84, 0x85, 0x88, 0x89, 0x8a,
  0x8b, 0x8d, 0xb6, 0xb7, 0xbe, 0xbf, 0xc6, 0xc7, 0xd6, 0xf6, 0xf7, 0xff,
]) {
  accesses[opcode] = 1
}

/** x86-64: branches with 32 bits and operands relative to the instruction pointer, found without decoding lengths. What
    is found wrongly is only a wrong guess, and its guess is mostly "unchanged". */
export function findX86Sites(piece: SitePiece, space: AddressSpace, sites: SiteList): void {
  const { bytes, from, to, place, region } = piece
  const image = space.imageOf(region)
  const bias = space.addressOf(place) - from
  const last = to - 4
  const classes = image.fixed ? fixed : movable
  // Most of what looks like an operand is none, and points far away: this is asked before the address is looked up.
  const least = Math.max(-0x80000000, image.lowest - bias - to)
  const most = Math.min(0x7fffffff, image.highest - bias - from)
  for (let at = from; at < last; at++) {
    const kind = classes[bytes[at] as number] as number
    if (kind === PLAIN) continue
    if (kind >= IMMEDIATE) {
      const operand = constantAt(bytes, at, kind)
      if (operand < 0 || operand + 4 > to) continue
      const indexed = kind === INDEXED || kind === DISPLACED
      if (indexed && at > from && accesses[bytes[at - 1] as number] === 0) continue
      const target = image.placeOf(readWord(bytes, operand) >>> 0)
      if (target < 0) continue
      sites.add(operand, indexed ? SITE_KINDS.indexed : SITE_KINDS.immediate, target, 0)
      at = operand + 3
      continue
    }
    let operand = at + 1
    let siteKind: number = SITE_KINDS.access
    if (kind === BRANCH) {
      siteKind = bytes[at] === 0xe8 ? SITE_KINDS.call : SITE_KINDS.jump
    } else if (kind === ESCAPE) {
      if (((bytes[at + 1] as number) & 0xf0) !== 0x80) continue
      operand = at + 2
      siteKind = SITE_KINDS.branch
      if (operand + 4 > to) continue
    } else if (at > from && bytes[at - 1] === 0x8d) {
      siteKind = SITE_KINDS.load
    }
    const distance = readWord(bytes, operand)
    if (distance < least || distance > most) continue
    const target = image.placeOf(bias + operand + 4 + distance)
    if (target < 0) continue
    if (siteKind <= SITE_KINDS.branch && space.kindOf(target) !== REGION_KINDS.x86Code) continue
    sites.add(operand, siteKind, target, 0)
    at = operand + 3
    if (
      kind === RELATIVE &&
      classes === fixed &&
      operand >= from + 2 &&
      bytes[operand - 2] === 0xc7 &&
      operand + 8 <= to
    ) {
      const constant = image.placeOf(readWord(bytes, operand + 4) >>> 0)
      if (constant < 0) continue
      sites.add(operand + 4, SITE_KINDS.immediate, constant, 0)
      at += 4
    }
  }
}

/** Where the 32-bit constant of an instruction begins whose byte at `at` is of this class; -1: it has none. */
function constantAt(bytes: Uint8Array, at: number, kind: number): number {
  const next = bytes[at + 1] as number
  switch (kind) {
    case IMMEDIATE:
      return at + 1
    case INDEXED:
      return (next & 7) === 5 ? at + 2 : -1
    case DISPLACED:
      return ((bytes[at] as number) & 7) === 4 ? at + 2 : at + 1
    default: {
      const mode = next >>> 6
      const base = next & 7
      if (mode === 3) return at + 2
      if (kind === COMPARED) return -1
      if (mode === 0) return base === 5 ? -1 : base === 4 ? at + 3 : at + 2
      return at + (mode === 1 ? 3 : 6) + (base === 4 ? 1 : 0)
    }
  }
}

/** 64-bit addresses at any byte, as debug information has them. */
export function findUnalignedSites(piece: SitePiece, space: AddressSpace, sites: SiteList): void {
  const { bytes, from, to, region } = piece
  const image = space.imageOf(region)
  for (let at = from; at + 8 <= to; at++) {
    if (bytes[at + 7] !== 0 || bytes[at + 6] !== 0 || bytes[at + 5] !== 0 || bytes[at + 4] !== 0) continue
    const value = readWord(bytes, at) >>> 0
    if (value < UNALIGNED_LOW) continue
    const target = image.placeOf(value)
    if (target < 0) continue
    sites.add(at, SITE_KINDS.debug, target, 0)
    at += 7
  }
}

export function readWord(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** Aligned 64-bit words that hold an address of something loaded: the low half is the site, the high half stays. */
export function findPointerSites(piece: SitePiece, space: AddressSpace, kind: number, sites: SiteList): void {
  const { bytes, from, to, place, region } = piece
  const image = space.imageOf(region)
  const phase = space.addressOf(place) & 7
  const { highest } = image
  for (let at = from + ((8 - phase) & 7); at + 8 <= to; at += 8) {
    if ((bytes[at + 7] as number) !== 0 || (bytes[at + 6] as number) !== 0 || (bytes[at + 5] as number) !== 0) continue
    const low =
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)) >>>
      0
    const value = (bytes[at + 4] as number) * 4294967296 + low
    if (value < POINTER_LOW || value > highest) continue
    const target = image.placeOf(value)
    if (target >= 0) sites.add(at, kind, target, 0)
  }
}

export function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word
  bytes[at + 1] = word >>> 8
  bytes[at + 2] = word >>> 16
  bytes[at + 3] = word >>> 24
}
