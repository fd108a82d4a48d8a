// Bytes that come from nowhere in the old file: coded bit by bit from a mix of predictions (by the bytes before, by the
// old file's byte where the last cover would go on, by the longest repetition in earlier new bytes).

import { SQUASH_STEPS, squashTable, stretchTable } from './logistic-tables.ts'
import type { BitCoder } from './range-coder.ts'

const INPUTS = 7
const RING_BITS = 22
const RING_MASK = (1 << RING_BITS) - 1
const LEARNING = 0.006
/** In 1/65536: what was foretold as well as this teaches the weights nothing. */
const MISS_MIN = 512
const MATCH_MIN = 5
const HALF = 0x8000
const LENGTH_CLASSES = 32
/** With fewer bytes than this to learn from, weights are kept by place in the byte, not by every prefix of it. */
const COARSE_BYTES = 1 << 17
/** Kinds from here on: bytes of a cover that differ from what was predicted. */
export const CORRECTION_KIND = 16

const rates = Int32Array.of(341, 213, 160, 128, 102, 79, 60, 47)

export class LiteralModel {
  readonly #cells: Uint16Array
  readonly #mask: number
  readonly #matchCells = new Uint16Array(LENGTH_CLASSES * 16).fill(HALF)
  readonly #weights: Float64Array
  readonly #coarse: boolean
  readonly #contexts = new Int32Array(INPUTS)
  readonly #ring: Uint8Array
  readonly #heads: Int32Array
  readonly #headMask: number
  #written = 0
  #matchAt = 0
  #matchLength = 0
  #delta = 0
  readonly #deltas = new Int32Array(4)
  #history = 0
  #history2 = 0

  /** `total`: how many bytes will be coded; small totals get small tables. */
  constructor(total: number) {
    this.#coarse = total < COARSE_BYTES
    let bits = 16
    while (bits < 23 && 1 << bits < total * 16) bits++
    // Large buffers begin 16 bytes behind a page: so that a line of cells lies in one line of the cache.
    this.#cells = new Uint16Array(new ArrayBuffer((2 << bits) + 64), 48, 1 << bits).fill(HALF)
    this.#mask = (1 << bits) - 1
    this.#ring = new Uint8Array(1 << RING_BITS)
    let headBits = 12
    while (headBits < 18 && 1 << headBits < total) headBits++
    this.#heads = new Int32Array(1 << headBits)
    this.#headMask = (1 << headBits) - 1
    this.#weights = new Float64Array(INPUTS * 256 * 3).fill(0.27)
  }

  /** Tells the model of bytes that were copied, so that the next literal knows what it follows. */
  follow(byte: number): void {
    this.#history2 = (this.#history2 << 8) | (this.#history >>> 24)
    this.#history = (this.#history << 8) | byte
  }

  endRun(): void {
    this.#matchLength = 0
  }

  /** `expected`: the old byte that would follow; `trust`: how well that went lately; `kind`: of the region; `phase`:
      the place of the byte. The inputs are written out one by one: with loops over them this took twice as long, and
      it is where an update's time goes. */
  code(coder: BitCoder, wanted: number, expected: number, trust: number, kind: number, phase: number): number {
    const contexts = this.#contexts
    const cells = this.#cells
    const mask = this.#mask
    const weights = this.#weights
    const coarse = this.#coarse
    const matchCells = this.#matchCells
    let predicted = -1
    let lengthClass = 0
    if (this.#matchLength > 0) {
      predicted = this.#ring[this.#matchAt & RING_MASK] as number
      lengthClass = Math.min(LENGTH_CLASSES - 1, this.#matchLength)
    }
    this.#setContexts(expected, trust, kind, phase)
    const set = (predicted < 0 ? 0 : this.#matchLength < 16 ? 1 : 2) * 256
    let line0 = 0
    let line1 = 0
    let line2 = 0
    let line3 = 0
    let line4 = 0
    let line5 = 0
    let node = 1
    let nibble = 1
    for (let shift = 7; shift >= 0; shift--) {
      if (shift === 7 || shift === 3) {
        // Four bits of one context share a line of sixteen cells, which is what a cache holds.
        const salt = Math.imul(node, 0x9e3779b1)
        line0 = lineOf((contexts[0] as number) + salt, mask)
        line1 = lineOf((contexts[1] as number) + salt, mask)
        line2 = lineOf((contexts[2] as number) + salt, mask)
        line3 = lineOf((contexts[3] as number) + salt, mask)
        line4 = lineOf((contexts[4] as number) + salt, mask)
        line5 = lineOf((contexts[5] as number) + salt, mask)
        nibble = 1
      }
      const cell0 = cells[line0 + nibble] as number
      const cell1 = cells[line1 + nibble] as number
      const cell2 = cells[line2 + nibble] as number
      const cell3 = cells[line3 + nibble] as number
      const cell4 = cells[line4 + nibble] as number
      const cell5 = cells[line5 + nibble] as number
      const bit6 = (predicted >>> shift) & 1
      const at6 =
        (predicted | 256) >>> (shift + 1) === node && predicted >= 0 ? (lengthClass << 4) | (shift << 1) | bit6 : 0
      const cell6 = at6 === 0 ? HALF : (matchCells[at6] as number)
      const input0 = stretchTable[cell0 >>> 4] as number
      const input1 = stretchTable[cell1 >>> 4] as number
      const input2 = stretchTable[cell2 >>> 4] as number
      const input3 = stretchTable[cell3 >>> 4] as number
      const input4 = stretchTable[cell4 >>> 4] as number
      const input5 = stretchTable[cell5 >>> 4] as number
      const input6 = stretchTable[cell6 >>> 4] as number
      const at = (set + (coarse ? shift + (kind << 3) : node)) * INPUTS
      const dot =
        input0 * (weights[at + 0] as number) +
        input1 * (weights[at + 1] as number) +
        input2 * (weights[at + 2] as number) +
        input3 * (weights[at + 3] as number) +
        input4 * (weights[at + 4] as number) +
        input5 * (weights[at + 5] as number) +
        input6 * (weights[at + 6] as number)
      let position = ((dot * SQUASH_STEPS) | 0) + 2048
      if (position < 0) position = 0
      else if (position > 4095) position = 4095
      const probability = squashTable[position] as number
      const bit = coder.code((wanted >>> shift) & 1, probability)
      const miss = (bit << 16) - probability
      const goal = bit !== 0 ? 0xffff : 0
      if (miss > MISS_MIN || miss < -MISS_MIN) {
        const error = miss * (LEARNING / 65536)
        weights[at + 0] = (weights[at + 0] as number) + error * input0
        weights[at + 1] = (weights[at + 1] as number) + error * input1
        weights[at + 2] = (weights[at + 2] as number) + error * input2
        weights[at + 3] = (weights[at + 3] as number) + error * input3
        weights[at + 4] = (weights[at + 4] as number) + error * input4
        weights[at + 5] = (weights[at + 5] as number) + error * input5
        weights[at + 6] = (weights[at + 6] as number) + error * input6
      }
      cells[line0 + nibble] = moved(cell0, goal)
      cells[line1 + nibble] = moved(cell1, goal)
      cells[line2 + nibble] = moved(cell2, goal)
      cells[line3 + nibble] = moved(cell3, goal)
      cells[line4 + nibble] = moved(cell4, goal)
      cells[line5 + nibble] = moved(cell5, goal)
      if (at6 !== 0) matchCells[at6] = moved(cell6, goal)
      node = (node << 1) | bit
      nibble = (nibble << 1) | bit
    }
    const byte = node & 255
    if (kind >= CORRECTION_KIND) {
      this.#delta = byte - expected
      this.#deltas[phase & 3] = this.#delta
    }
    this.#remember(byte)
    return byte
  }

  #setContexts(expected: number, trust: number, kind: number, phase: number): void {
    const contexts = this.#contexts
    const history = this.#history
    const last = history & 255
    contexts[0] = Math.imul(last + 256 * kind, 0x1b873593) + 1
    contexts[1] = Math.imul((history & 0xffff) + 0x10000, 0x2c1b3c6d) + 2
    contexts[2] = Math.imul(history, 0x1b56c4e9) + 4
    contexts[3] = Math.imul(history ^ Math.imul(this.#history2 & 0xffff, 0x7feb352d), 0x846ca68b) + 5
    // Code: the byte before the last. Anything else: the byte a word ago, and where in its word this one is.
    const sparse = (kind & 15) === 1 ? history & 0xff00 : (history >>> 24) | ((phase & 3) << 9) | 256
    contexts[4] = Math.imul(sparse + (kind << 12), 0x58f38ded) + 6
    contexts[5] = Math.imul((expected << 4) + trust + (last << 12), 0x3c6ef372) + 7
    if (kind >= CORRECTION_KIND) {
      // Tables of offsets change by the same amount again and again.
      const phased = (expected + (this.#deltas[phase & 3] as number)) & 255
      contexts[3] = Math.imul(phased + (kind << 8), 0x846ca68b) + 9
      contexts[4] = Math.imul(((expected + this.#delta) & 255) + (kind << 8), 0x58f38ded) + 10
    }
  }

  #remember(byte: number): void {
    this.#ring[this.#written & RING_MASK] = byte
    this.#written++
    this.follow(byte)
    if (this.#matchLength > 0) {
      if (this.#ring[this.#matchAt & RING_MASK] === byte) {
        this.#matchAt++
        if (this.#matchLength < 65535) this.#matchLength++
      } else {
        this.#matchLength = 0
      }
    }
    const hash =
      (Math.imul(this.#history ^ Math.imul(this.#history2 & 0xff, 0x2545f491), 0x9e3779b1) >>> 8) & this.#headMask
    if (this.#matchLength === 0 && this.#written > MATCH_MIN) {
      const candidate = this.#heads[hash] as number
      if (candidate > 0 && this.#written - candidate < RING_MASK) {
        let length = 0
        while (
          length < 24 &&
          candidate - length > 0 &&
          this.#ring[(candidate - 1 - length) & RING_MASK] === this.#ring[(this.#written - 1 - length) & RING_MASK]
        )
          length++
        if (length >= MATCH_MIN) {
          this.#matchAt = candidate
          this.#matchLength = length
        }
      }
    }
    this.#heads[hash] = this.#written
  }
}

function lineOf(context: number, mask: number): number {
  const hash = Math.imul(context, 0x85ebca6b)
  return ((hash ^ (hash >>> 15)) << 4) & mask
}

function moved(cell: number, goal: number): number {
  const count = cell & 7
  const value = cell & 0xfff8
  const next = value + ((((goal & 0xfff8) - value) * (rates[count] as number)) >> 9)
  return (next & 0xfff8) | (count < 7 ? count + 1 : 7)
}
