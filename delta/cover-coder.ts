// A piece of a cover: its old bytes, each address in them predicted, and what is then still wrong put right. The encoder
// is given the new file, the decoder makes it.

import { readArmField, writeArmField } from './arm64-sites.ts'
import { BitModels, NumberModel } from './bit-models.ts'
import type { CoverMap } from './cover-map.ts'
import type { AddressSpace } from './executable-map.ts'
import { CORRECTION_KIND, type LiteralModel } from './literal-model.ts'
import type { OldPages } from './old-pages.ts'
import { OperandPredictor } from './operand-predictor.ts'
import { readWord, SITE_KINDS, SiteList, writeWord } from './operand-sites.ts'
import type { BitCoder } from './range-coder.ts'
import { SiteFinder } from './site-finder.ts'

/** Sites are looked for in pieces of this size, so that the size is part of the format. */
export const PIECE_BYTES = 32768

/** What a correction's place in its row tells of the next: the first of a piece, after one that stood apart, after two
    that touched, after a piece without any. */
const GAP_CONTEXTS = { touching: 0, apart: 1, second: 2, none: 3 } as const
const FOLLOWED_BYTES = 6

export type CoverParts = {
  readonly coder: BitCoder
  readonly pages: OldPages
  readonly oldSpace: AddressSpace
  readonly newSpace: AddressSpace
  readonly map: CoverMap
  readonly literals: LiteralModel
  /** The new file; undefined when it is being made. */
  readonly actual: Uint8Array | undefined
}

export class CoverCoder {
  /** The bytes of the piece that was coded last. */
  readonly work = new Uint8Array(PIECE_BYTES)
  readonly #parts: CoverParts
  readonly #finder: SiteFinder
  readonly #predictor: OperandPredictor
  readonly #sites = new SiteList()
  readonly #more = new BitModels(1024, 400)
  readonly #gaps = new NumberModel(64)
  #previousTarget = -1
  #previousFound = 0
  #gapContext: number = GAP_CONTEXTS.touching
  #clean = false

  constructor(parts: CoverParts) {
    this.#parts = parts
    this.#finder = new SiteFinder(parts.oldSpace, parts.pages)
    this.#predictor = new OperandPredictor(parts.coder, parts.map, parts.oldSpace, parts.newSpace)
  }

  prepare(): Generator<undefined> {
    return this.#finder.prepare()
  }

  /** Makes `size` bytes at `place` of the new file from those at `old`; they are in `work` then. */
  code(place: number, old: number, size: number): void {
    const { work } = this
    const sites = this.#sites
    this.#parts.pages.copy(work, 0, old, size)
    this.#finder.find(work, size, old, sites)
    let whole = 0
    for (let index = 0; index < sites.count; index++) {
      if ((sites.kinds[index] as number) >= SITE_KINDS.armBranch) {
        this.#codeField(index, place)
      } else {
        this.#codeOperand(index, place, old)
        sites.offsets[whole++] = sites.offsets[index] as number
      }
    }
    // Fields of arm64 words leave other bits that may differ: their bytes are compared like any.
    sites.count = whole
    this.#codeDifferences(place, this.#parts.oldSpace.kindOf(old), size)
  }

  /** value' = value ± ((new target - old target) - (new base - old base)), modulo 2^32. */
  #codeOperand(index: number, place: number, old: number): void {
    const { oldSpace, newSpace, map, actual } = this.#parts
    const sites = this.#sites
    const offset = sites.offsets[index] as number
    const kind = sites.kinds[index] as number
    const target = sites.targets[index] as number
    const value = readWord(this.work, offset)
    let baseShift = 0
    if (kind <= SITE_KINDS.access || kind === SITE_KINDS.selfRelative || kind === SITE_KINDS.backward) {
      baseShift = newSpace.addressOf(place + offset) - oldSpace.addressOf(old + offset)
    } else if (kind === SITE_KINDS.extent || kind === SITE_KINDS.baseRelative || kind === SITE_KINDS.name) {
      const base = sites.bases[index] as number
      const isPrevious = this.#previousTarget === base && kind === SITE_KINDS.extent
      const found = isPrevious ? this.#previousFound : newSpace.addressOf(map.map(base))
      baseShift = found - oldSpace.addressOf(base)
    }
    const sign = kind === SITE_KINDS.backward ? -1 : 1
    const oldTarget = oldSpace.addressOf(target)
    let wanted = 0
    if (actual !== undefined) wanted = oldTarget + baseShift + sign * ((readWord(actual, place + offset) - value) | 0)
    const found = this.#predictor.code(kind, target, wanted)
    this.#previousTarget = target
    this.#previousFound = found
    writeWord(this.work, offset, (value + sign * (found - oldTarget - baseShift)) | 0)
  }

  #codeField(index: number, place: number): void {
    const { newSpace, actual } = this.#parts
    const sites = this.#sites
    const offset = sites.offsets[index] as number
    const kind = sites.kinds[index] as number
    const address = newSpace.addressOf(place + offset)
    const word = readWord(this.work, offset)
    const wanted = actual === undefined ? -1 : readArmField(kind, readWord(actual, place + offset), address)
    const found = this.#predictor.codeField(kind, sites.targets[index] as number, wanted)
    writeWord(this.work, offset, writeArmField(kind, word, address, found))
  }

  /** Bytes that differ outside operands: how many agree before each, then what is there instead. */
  #codeDifferences(place: number, kind: number, size: number): void {
    const { coder } = this.#parts
    const sites = this.#sites
    let at = 0
    let site = 0
    let left = size - sites.count * 4
    while (left > 0) {
      const wanted = this.#agreeing(place, at, site, size)
      const leftClass = Math.min(15, 32 - Math.clz32(left))
      const context = ((kind * 16 + leftClass) * 2 + (this.#clean ? 1 : 0)) * 2 + (this.#gapContext === 0 ? 0 : 1)
      this.#clean = this.#more.code(coder, context, wanted < 0 ? 0 : 1) === 0
      if (this.#clean) {
        this.#gapContext = GAP_CONTEXTS.none
        return
      }
      // A broken patch may tell a gap that leaves nothing to put right.
      let gap = Math.min(left - 1, this.#gaps.code(coder, kind * 4 + this.#gapContext, wanted))
      left -= gap + 1
      if (gap > 0) this.#gapContext = GAP_CONTEXTS.apart
      while (gap > 0 || (site < sites.count && sites.offsets[site] === at)) {
        const next = site < sites.count ? (sites.offsets[site] as number) : size
        if (next === at) {
          at += 4
          site++
        } else {
          const step = Math.min(gap, next - at)
          at += step
          gap -= step
        }
      }
      this.#correct(place, at, kind)
      at++
      this.#gapContext = this.#gapContext === GAP_CONTEXTS.apart ? GAP_CONTEXTS.second : GAP_CONTEXTS.touching
    }
  }

  /** How many bytes outside sites agree from `at` on before one that does not; -1: all do. Known to the encoder only. */
  #agreeing(place: number, at: number, site: number, size: number): number {
    const { actual } = this.#parts
    if (actual === undefined) return 0
    const { work } = this
    const sites = this.#sites
    let gap = 0
    for (let seek = at, next = site; seek < size;) {
      if (next < sites.count && sites.offsets[next] === seek) {
        seek += 4
        next++
      } else if (work[seek] === actual[place + seek]) {
        gap++
        seek++
      } else {
        return gap
      }
    }
    return -1
  }

  #correct(place: number, at: number, kind: number): void {
    const { coder, literals, actual } = this.#parts
    const { work } = this
    for (let back = Math.max(0, at - FOLLOWED_BYTES); back < at; back++) literals.follow(work[back] as number)
    const wanted = actual === undefined ? 0 : (actual[place + at] as number)
    const trust = 8 + Math.min(2, this.#gapContext)
    work[at] = literals.code(coder, wanted, work[at] as number, trust, kind + CORRECTION_KIND, place + at)
    literals.endRun()
  }
}
