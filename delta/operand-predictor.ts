// What an operand of the old file has become. Two guesses: the shift of the cover its target lies in, and what the last
// reference to the same target became. Where the better one is wrong, the difference is coded.

import { BitModels, NumberModel } from './bit-models.ts'
import type { CoverMap } from './cover-map.ts'
import { REGION_KINDS, REGION_KIND_COUNT, type AddressSpace } from './executable-map.ts'
import { SITE_KIND_COUNT, SITE_KINDS } from './operand-sites.ts'
import type { BitCoder } from './range-coder.ts'

const RECENT = 4
/** More would not fit a processor's cache, and forgets little less. */
const SLOT_BITS_MAX = 16

// What kind of region an operand points to, as context: code, constants, anything else.
const regionClass = new Uint8Array(REGION_KIND_COUNT)
regionClass[REGION_KINDS.x86Code] = 1
regionClass[REGION_KINDS.arm64Code] = 1
regionClass[REGION_KINDS.constants] = 2
regionClass[REGION_KINDS.pointers] = 3

export class OperandPredictor {
  readonly #coder: BitCoder
  readonly #map: CoverMap
  readonly #oldSpace: AddressSpace
  readonly #newSpace: AddressSpace
  /** Pairs of an old target and what it became last, by a hash of the target. */
  readonly #pairs: Int32Array
  readonly #trust: Uint8Array
  readonly #bits: number
  readonly #flags = new BitModels(SITE_KIND_COUNT * 2048, 400)
  readonly #others = new BitModels(SITE_KIND_COUNT * 16)
  readonly #repeats = new BitModels(SITE_KIND_COUNT * 8)
  readonly #deltas = new NumberModel(SITE_KIND_COUNT)
  readonly #recent = new Float64Array(SITE_KIND_COUNT * RECENT)
  readonly #past = new Uint8Array(SITE_KIND_COUNT)

  constructor(coder: BitCoder, map: CoverMap, oldSpace: AddressSpace, newSpace: AddressSpace) {
    this.#coder = coder
    this.#map = map
    this.#oldSpace = oldSpace
    this.#newSpace = newSpace
    let bits = 10
    while (bits < SLOT_BITS_MAX && 1 << bits < oldSpace.end / 64) bits++
    this.#bits = bits
    this.#pairs = new Int32Array(2 << bits).fill(-1)
    this.#trust = new Uint8Array(1 << bits)
  }

  /** Codes the new address that stands for `target` (a place of the old file); `actual` is the
      address when encoding, modulo 2^32. */
  code(kind: number, target: number, actual: number): number {
    const coder = this.#coder
    const pairs = this.#pairs
    const trust = this.#trust
    const mapped = this.#map.map(target)
    const inside = this.#map.inside ? 1 : 0
    const slot = Math.imul(target, 0x9e3779b1) >>> (32 - this.#bits)
    const known = pairs[slot * 2] === target
    const learned = known ? (pairs[slot * 2 + 1] as number) : mapped
    const relation = !known ? 0 : learned === mapped ? 1 : 2
    const confidence = known ? (trust[slot] as number) : 0
    const past = this.#past[kind] as number
    const where = regionClass[this.#oldSpace.kindOf(target)] as number
    const context = ((((kind * 2 + inside) * 3 + relation) * 4 + confidence) * 8 + past) * 4 + where
    const guess = this.#newSpace.addressOf(learned)
    let found = guess
    let delta = (actual - guess) | 0
    if (this.#flags.code(coder, context, delta === 0 ? 0 : 1) !== 0) {
      this.#past[kind] = ((past << 1) | 1) & 7
      const second = this.#newSpace.addressOf(mapped)
      if (
        relation === 2 &&
        this.#others.code(coder, kind * 4 + confidence, ((actual - second) | 0) === 0 ? 1 : 0) !== 0
      ) {
        found = second
      } else {
        delta = this.#codeDelta(kind, delta)
        found = guess + delta
      }
    } else {
      this.#past[kind] = (past << 1) & 7
    }
    if (known || found !== guess) {
      const place = found === guess ? learned : this.#newSpace.placeNear(learned, found)
      if (place >= 0) {
        if (known && place === learned) {
          if (confidence < 3) trust[slot] = confidence + 1
        } else if (!known || confidence < 2) {
          pairs[slot * 2] = target
          pairs[slot * 2 + 1] = place
          trust[slot] = 0
        } else {
          trust[slot] = confidence - 2
        }
      }
    }
    return found
  }

  /** The same for an arm64 field, of which only part of the address can be read back: a page, or what is in it.
      `wanted` is what the new word says, -1 when it is another instruction, which the bytes around then put right. */
  codeField(kind: number, target: number, wanted: number): number {
    const guess = this.#guess(target)
    let actual = guess
    if (kind === SITE_KINDS.armBranch && wanted >= 0) actual = wanted
    const low = ((guess % 4096) + 4096) % 4096
    if (kind === SITE_KINDS.armPage && wanted >= 0) actual = wanted + low
    if (kind === SITE_KINDS.armLow && wanted >= 0) {
      let move = wanted - low
      if (move > 2047) move -= 4096
      if (move < -2048) move += 4096
      actual = guess + move
    }
    return this.code(kind, target, actual)
  }

  #guess(target: number): number {
    const slot = Math.imul(target, 0x9e3779b1) >>> (32 - this.#bits)
    const learned = this.#pairs[slot * 2] === target ? (this.#pairs[slot * 2 + 1] as number) : this.#map.map(target)
    return this.#newSpace.addressOf(learned)
  }

  #codeDelta(kind: number, wanted: number): number {
    const coder = this.#coder
    const recent = this.#recent
    const base = kind * RECENT
    for (let index = 0; index < RECENT; index++) {
      const value = recent[base + index] as number
      if (this.#repeats.code(coder, kind * 8 + index, value === wanted ? 1 : 0) !== 0) {
        for (let move = index; move > 0; move--) recent[base + move] = recent[base + move - 1] as number
        recent[base] = value
        return value
      }
    }
    const delta = this.#deltas.codeSigned(coder, kind, wanted)
    for (let move = RECENT - 1; move > 0; move--) recent[base + move] = recent[base + move - 1] as number
    recent[base] = delta
    return delta
  }
}
