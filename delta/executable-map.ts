// What a codec must know of an executable: which stretch of the file is what, and at which address it is loaded.
// Creation reads it from the headers; the patch carries it, so that the applier parses no executable.

import { SortedStarts } from './sorted-starts.ts'

export const REGION_KINDS = {
  bytes: 0,
  x86Code: 1,
  arm64Code: 2,
  data: 3,
  pointers: 4,
  unwind: 5,
  unwindIndex: 6,
  relocations: 7,
  symbols: 8,
  constants: 9,
  goTable: 10,
  debug: 11,
  machSymbols: 12,
  imageWords: 13,
  pageHashes: 14,
} as const

export const REGION_KIND_COUNT = 15

/** `address` -1: not loaded; of a table of page hashes it is where the hashed pages begin in the file. `spare` is how
    many bytes of zeros follow in memory without being in the file (.bss). `image` counts the executables of the file:
    there is more than one in a tar, and in a universal Mach-O file. */
export type Region = { start: number; end: number; address: number; spare: number; kind: number; image: number }

type Span = { address: number; size: number; place: number; image: number }

/** A linear space of places: file offsets, and behind the end of the file the bytes that exist only in memory. */
export class AddressSpace {
  readonly regions: readonly Region[]
  readonly images: readonly LoadedImage[]
  readonly end: number
  readonly #fileSize: number
  readonly #regionStarts: SortedStarts
  readonly #regionBegins: Int32Array
  readonly #regionEnds: Int32Array
  readonly #kinds: Uint8Array
  readonly #spanStarts: SortedStarts
  readonly #biases: Float64Array
  readonly #spanImages: Uint16Array

  constructor(regions: readonly Region[], fileSize: number) {
    this.regions = regions
    this.#fileSize = fileSize
    this.#regionStarts = new SortedStarts(regions.map((region) => region.start))
    this.#regionBegins = Int32Array.from(regions, (region) => region.start)
    this.#regionEnds = Int32Array.from(regions, (region) => region.end)
    this.#kinds = Uint8Array.from(regions, (region) => region.kind)
    const spans: Span[] = []
    let behind = fileSize
    for (const { start, end, address, spare, kind, image } of regions) {
      if (address < 0 || kind === REGION_KINDS.pageHashes) continue
      const size = end - start
      if (size > 0) spans.push({ address, size, place: start, image })
      if (spare > 0) {
        spans.push({ address: address + size, size: spare, place: behind, image })
        behind += spare
      }
    }
    this.end = behind
    const count = 1 + (regions.at(-1)?.image ?? 0)
    const ofImages: Span[][] = Array.from({ length: count }, () => [])
    for (const span of spans) ofImages[span.image]?.push(span)
    const withGo = new Set(regions.flatMap(({ kind, image }) => (kind === REGION_KINDS.goTable ? [image] : [])))
    this.images = ofImages.map((own, image) => new LoadedImage(own, withGo.has(image)))
    spans.sort((a, b) => a.place - b.place)
    this.#spanStarts = new SortedStarts(spans.map((span) => span.place))
    this.#biases = Float64Array.from(spans, (span) => span.address - span.place)
    this.#spanImages = Uint16Array.from(spans, (span) => span.image)
  }

  imageOf(region: Region): LoadedImage {
    return this.images[region.image] as LoadedImage
  }

  /** The address of a place; places between spans take the bias of the span before them. */
  addressOf(place: number): number {
    return place + (this.#biases[this.#spanStarts.at(place)] ?? 0)
  }

  /** The place of an address in the image to which `near` belongs; -1 when nothing is loaded there. */
  placeNear(near: number, address: number): number {
    return (this.images[this.#spanImages[this.#spanStarts.at(near)] ?? 0] as LoadedImage).placeOf(address)
  }

  /** What lies at a place of the file; memory behind the file is data. */
  kindOf(place: number): number {
    if (place >= this.#fileSize) return REGION_KINDS.data
    const index = this.#regionStarts.at(place)
    return place < (this.#regionEnds[index] ?? 0) && place >= (this.#regionBegins[index] as number)
      ? (this.#kinds[index] as number)
      : REGION_KINDS.bytes
  }

  /** The index of the last region that begins at or before `place`; 0 when none does. */
  regionIndexAt(place: number): number {
    return this.#regionStarts.at(place)
  }
}

/** The addresses of one executable. */
export class LoadedImage {
  readonly lowest: number
  readonly highest: number
  /** Linked to a fixed low address: code may hold addresses as 32-bit constants (Go's compiler makes none). */
  readonly fixed: boolean
  readonly #starts: SortedStarts
  readonly #first: Float64Array
  readonly #ends: Float64Array
  readonly #places: Float64Array

  constructor(spans: readonly Span[], isGo: boolean) {
    const sorted = [...spans].sort((a, b) => a.address - b.address)
    this.#first = Float64Array.from(sorted, (span) => span.address)
    this.#starts = new SortedStarts([...this.#first])
    this.#ends = Float64Array.from(sorted, (span) => span.address + span.size)
    this.#places = Float64Array.from(sorted, (span) => span.place)
    this.lowest = this.#first[0] ?? 0
    this.highest = this.#ends.reduce((most, end) => Math.max(most, end), 0)
    this.fixed = !isGo && this.lowest >= 0x10000 && this.highest < 0x80000000
  }

  /** The place of an address, or -1 when nothing is loaded there. One past the end of a span still belongs to it. */
  placeOf(address: number): number {
    if (address < this.lowest || address > this.highest || this.#first.length === 0) return -1
    const index = this.#starts.at(address)
    if (address > (this.#ends[index] as number)) return -1
    return (this.#places[index] as number) + (address - (this.#first[index] as number))
  }
}
