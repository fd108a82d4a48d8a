// The first part of a patch: sizes, the regions of both files, and the covers (which stretch of the new file comes from
// where in the old one). Written once, walked in both directions.

import { BitModels, NumberModel } from './bit-models.ts'
import type { Covers, Spare } from './cover-map.ts'
import { REGION_KIND_COUNT, type Region } from './executable-map.ts'
import { PatchError, type BitCoder } from './range-coder.ts'

export const FILE_MAX_BYTES = 1 << 30
export const COVERS_MAX = 1 << 21
export const REGIONS_MAX = 4096
/** Covers decoded at a time: a few milliseconds. */
const COVERS_STEP = 2048
export const ADDRESS_MAX = 2 ** 52
export const SPARE_MAX_BYTES = 1 << 28

export type PatchPlan = {
  readonly oldSize: number
  readonly newSize: number
  readonly oldRegions: readonly Region[]
  readonly newRegions: readonly Region[]
  readonly covers: Covers
}

const NO_REGION: Region = { start: 0, end: 0, address: 0, spare: 0, kind: 0, image: 0 }
const HALF_WORD = 2 ** 31

/** Each region is told by what differs from that with the same number in `like`, and from the one before. */
export function codeRegions(
  coder: BitCoder,
  wanted: readonly Region[],
  fileSize: number,
  like: readonly Region[],
): Region[] {
  const numbers = new NumberModel(8, 30)
  const flags = new BitModels(8, 30)
  const count = numbers.code(coder, 0, wanted.length)
  if (count > REGIONS_MAX) throw new PatchError('too many regions')
  const regions: Region[] = []
  let reached = 0
  let bias = 0
  let spares = 0
  let image = 0
  for (let index = 0; index < count; index++) {
    const region = wanted[index] ?? NO_REGION
    const model = like[index]
    const likeSize = model === undefined ? 0 : model.end - model.start
    const kind = numbers.code(coder, 1, region.kind ^ (model?.kind ?? 0)) ^ (model?.kind ?? 0)
    if (index > 0) {
      const begins = model !== undefined && model.image !== like[index - 1]?.image
      image += flags.code(coder, begins ? 4 : 3, region.image === image ? 0 : 1)
    }
    const start = reached + numbers.code(coder, 2, region.start - reached)
    const size = likeSize + numbers.codeSigned(coder, 3, region.end - region.start - likeSize)
    const loaded = flags.code(coder, model === undefined ? 0 : model.address >= 0 ? 1 : 2, region.address >= 0 ? 1 : 0)
    let address = -1
    let spare = 0
    if (loaded !== 0) {
      bias += codeBiasChange(coder, numbers, region.address - region.start - bias)
      address = start + bias
      spare = (model?.spare ?? 0) + numbers.codeSigned(coder, 6, region.spare - (model?.spare ?? 0))
      if (!(address >= 0 && address < ADDRESS_MAX)) throw new PatchError('a region has an impossible address')
    }
    spares += spare
    if (size < 0 || spare < 0 || spares > SPARE_MAX_BYTES || start + size > fileSize)
      throw new PatchError('a region lies outside the file')
    if (kind >= REGION_KIND_COUNT) throw new PatchError('a region is of unknown kind')
    regions.push({ start, end: start + size, address, spare, kind, image })
    reached = start + size
  }
  return regions
}

/** By how much address minus place differs from that of the region before; in two parts, for a number ends at 2^33. */
function codeBiasChange(coder: BitCoder, numbers: NumberModel, wanted: number): number {
  const high = numbers.codeSigned(coder, 4, Math.floor(wanted / HALF_WORD))
  return high * HALF_WORD + numbers.code(coder, 5, wanted - Math.floor(wanted / HALF_WORD) * HALF_WORD)
}

export class CoverList implements Covers {
  count = 0
  news = new Int32Array(1024)
  olds = new Int32Array(1024)
  lengths = new Int32Array(1024)

  add(newPosition: number, oldPosition: number, length: number): void {
    if (this.count === this.news.length) {
      this.news = grown(this.news)
      this.olds = grown(this.olds)
      this.lengths = grown(this.lengths)
    }
    this.news[this.count] = newPosition
    this.olds[this.count] = oldPosition
    this.lengths[this.count++] = length
  }
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}

const sizeClass = (value: number): number => Math.min(11, 32 - Math.clz32(value))

/** Every cover: bytes new before it, length, and where in the old file, told from one of two ends seen lately. */
export function* codeCovers(
  coder: BitCoder,
  wanted: Covers,
  oldSize: number,
  newSize: number,
): Generator<undefined, CoverList> {
  const numbers = new NumberModel(48, 255)
  const choices = new BitModels(16, 255)
  const count = numbers.code(coder, 0, wanted.count)
  if (count > COVERS_MAX) throw new PatchError('too many covers')
  const covers = new CoverList()
  let reached = 0
  let expected = 0
  let other = 0
  let lengthContext = 0
  let gapContext = 0
  for (let index = 0; index < count; index++) {
    if (index % COVERS_STEP === COVERS_STEP - 1) yield
    const gap = numbers.code(coder, 1 + gapContext, (wanted.news[index] ?? 0) - reached)
    const length = numbers.code(coder, 13 + Math.min(11, sizeClass(gap)), wanted.lengths[index] ?? 0)
    const old = wanted.olds[index] ?? 0
    const first = old - expected - gap
    const second = old - other - gap
    const choice = choices.code(coder, Math.min(3, lengthContext), Math.abs(second) < Math.abs(first) ? 1 : 0)
    const base = (choice === 0 ? expected : other) + gap
    const context = 25 + choice * 8 + Math.min(7, sizeClass(length))
    const place = base + numbers.codeSigned(coder, context, old - base)
    const start = reached + gap
    if (length < 1 || start + length > newSize) throw new PatchError('a cover lies outside the new file')
    if (place < 0 || place + length > oldSize) throw new PatchError('a cover lies outside the old file')
    covers.add(start, place, length)
    reached = start + length
    lengthContext = choice === 1 ? 2 : place === base ? 0 : 1
    other = expected
    expected = place + length
    gapContext = sizeClass(length)
  }
  return covers
}

/** Memory behind both files: old place, new place, size of each stretch that both have. */
export function pairSpares(plan: PatchPlan): Spare[] {
  const pairs: Spare[] = []
  let oldPlace = plan.oldSize
  let newPlace = plan.newSize
  const spares = plan.newRegions.filter((region) => region.spare > 0)
  let index = 0
  for (const region of plan.oldRegions) {
    if (region.spare === 0) continue
    const match = spares[index++]
    if (match === undefined) break
    pairs.push([oldPlace, newPlace, region.spare])
    oldPlace += region.spare
    newPlace += match.spare
  }
  return pairs
}
