// Go's pclntab (Go 1.20 and later): offsets into its own parts, into the text and into the constants.

import { REGION_KINDS, type AddressSpace, type LoadedImage, type Region } from './executable-map.ts'
import type { OldPages } from './old-pages.ts'
import { readWord, SITE_KINDS, type SiteList } from './operand-sites.ts'

const HEADER_BYTES = 72
const MAGIC = 0xfffffff1 | 0
const MODULE_BYTES = 328
const FUNC_BYTES = 44
const SCAN_BYTES = 1 << 16
/** The largest Go programs have half as many; all tables of a file together. */
export const FUNCS_MAX = 1 << 20

export class GoTables {
  readonly #region: Region
  readonly #space: AddressSpace
  readonly #image: LoadedImage
  #text = -1
  #names = -1
  #values = -1
  #funcs = -1
  #firstRecord = 0
  #constants = -1
  #records = new Int32Array(0)

  constructor(region: Region, space: AddressSpace) {
    this.#region = region
    this.#space = space
    this.#image = space.imageOf(region)
  }

  get count(): number {
    return this.#records.length
  }

  /** Reads a table of at most `most` functions; one that has more is none. */
  *prepare(pages: OldPages, most: number): Generator<undefined> {
    const { start, end } = this.#region
    if (end - start < HEADER_BYTES) return
    const bytes = new Uint8Array(HEADER_BYTES)
    pages.copy(bytes, 0, start, HEADER_BYTES)
    if (readWord(bytes, 0) !== MAGIC) return
    const count = readWord(bytes, 8)
    const funcs = start + readWord(bytes, 64)
    const firstRecord = funcs + count * 8 + 4
    const text = this.#image.placeOf(readLong(bytes, 24))
    if (text < 0 || count <= 0 || count > most || firstRecord > end || funcs < start) return
    this.#names = start + readWord(bytes, 32)
    this.#values = start + readWord(bytes, 56)
    this.#funcs = funcs
    this.#firstRecord = firstRecord
    this.#records = readRecordStarts(funcs, count, end, pages)
    yield
    yield* this.#findConstants(pages)
    this.#text = text
  }

  find(bytes: Uint8Array, from: number, to: number, place: number, sites: SiteList): void {
    if (this.#text < 0) return
    let at = from + ((4 - (place & 3)) & 3)
    for (; at + 4 <= to; at += 4) {
      const here = place + at - from
      if (here < this.#funcs) continue
      if (here >= this.#firstRecord) break
      const odd = ((here - this.#funcs) & 4) !== 0
      if (odd) this.#addInTable(sites, at, readWord(bytes, at), this.#funcs)
      else this.#addLoaded(sites, at, readWord(bytes, at), this.#text)
    }
    const records = this.#records
    let low = 0
    let high = records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((records[middle] as number) < place + at - from) low = middle + 1
      else high = middle
    }
    for (let index = low; index < records.length; index++) {
      const start = (records[index] as number) - place + from
      if (start + FUNC_BYTES > to) break
      this.#findInRecord(bytes, start, to, sites)
    }
  }

  #findInRecord(bytes: Uint8Array, start: number, to: number, sites: SiteList): void {
    this.#addLoaded(sites, start, readWord(bytes, start), this.#text)
    this.#addInTable(sites, start + 4, readWord(bytes, start + 4), this.#names)
    for (let field = 16; field <= 24; field += 4)
      this.#addInTable(sites, start + field, readWord(bytes, start + field), this.#values)
    const pcData = readWord(bytes, start + 28)
    const funcData = bytes[start + 43] as number
    if (pcData < 0 || pcData > 64 || start + FUNC_BYTES + (pcData + funcData) * 4 > to) return
    let field = start + FUNC_BYTES
    for (let count = 0; count < pcData; count++, field += 4)
      this.#addInTable(sites, field, readWord(bytes, field), this.#values)
    if (this.#constants < 0) return
    for (let count = 0; count < funcData; count++, field += 4)
      this.#addLoaded(sites, field, readWord(bytes, field), this.#constants)
  }

  #addInTable(sites: SiteList, at: number, value: number, base: number): void {
    if (value === 0 || value === -1) return
    const target = base + value
    if (target >= 0 && target < this.#space.end) sites.add(at, SITE_KINDS.baseRelative, target, base)
  }

  #addLoaded(sites: SiteList, at: number, value: number, base: number): void {
    if (value === 0 || value === -1) return
    const target = this.#image.placeOf(this.#space.addressOf(base) + (value >>> 0))
    if (target >= 0 && target < this.#space.end) sites.add(at, SITE_KINDS.baseRelative, target, base)
  }

  /** go:func.*, the base of the funcdata offsets, is told by the module data, which begins with the table's address. */
  *#findConstants(pages: OldPages): Generator<undefined> {
    const bytes = new Uint8Array(SCAN_BYTES + MODULE_BYTES)
    const { address, end, image } = this.#region
    for (const other of this.#space.regions) {
      if (other.kind !== REGION_KINDS.pointers || other.image !== image) continue
      if (other.address < 0 || other.start < end) continue
      for (let place = other.start; place + MODULE_BYTES <= other.end; place += SCAN_BYTES) {
        const size = Math.min(bytes.length, other.end - place)
        pages.copy(bytes, 0, place, size)
        for (let at = 0; at < SCAN_BYTES && at + MODULE_BYTES <= size; at += 8) {
          if (readWord(bytes, at) !== (address | 0) || readLong(bytes, at) !== address) continue
          const base = this.#image.placeOf(readLong(bytes, at + 320))
          const ordered =
            readLong(bytes, at + 296) < readLong(bytes, at + 304) &&
            readLong(bytes, at + 320) >= readLong(bytes, at + 312)
          if (base < 0 || !ordered) continue
          this.#constants = base
          return
        }
        yield
      }
    }
  }
}

function readRecordStarts(funcs: number, count: number, end: number, pages: OldPages): Int32Array<ArrayBuffer> {
  const starts = new Int32Array(count)
  const bytes = new Uint8Array(4)
  let valid = 0
  let before = -1
  for (let index = 0; index < count; index++) {
    pages.copy(bytes, 0, funcs + index * 8 + 4, 4)
    const start = funcs + readWord(bytes, 0)
    if (start <= before || start + FUNC_BYTES > end) break
    starts[valid++] = before = start
  }
  return starts.subarray(0, valid)
}

function readLong(bytes: Uint8Array, at: number): number {
  return (readWord(bytes, at) >>> 0) + (readWord(bytes, at + 4) >>> 0) * 4294967296
}
