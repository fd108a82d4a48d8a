// Adaptive probabilities of single bits, and numbers coded with them. A cell is 22 bits of probability and a count:
// the first bits move it far, later ones little, so that small patches learn as quickly as large ones.

import { PatchError, type BitCoder } from './range-coder.ts'

const COUNT_MASK = 1023
const HALF = 0x80000000

const rates = new Float64Array(1024)
for (let count = 0; count < 1024; count++) rates[count] = 1 / (count + 1.6)

export class BitModels {
  readonly #cells: Uint32Array
  readonly #limit: number

  /** `limit` bounds the count: the higher, the steadier the probability. */
  constructor(size: number, limit = 255) {
    this.#cells = new Uint32Array(size).fill(HALF)
    this.#limit = limit
  }

  code(coder: BitCoder, index: number, wanted: number): number {
    const cells = this.#cells
    const cell = cells[index] as number
    let probability = cell >>> 16
    if (probability < 1) probability = 1
    const bit = coder.code(wanted, probability)
    const count = cell & COUNT_MASK
    const value = cell >>> 10
    const moved = value + ((((bit !== 0 ? 4194303 : 0) - value) * (rates[count] as number)) | 0)
    cells[index] = ((moved << 10) | (count < this.#limit ? count + 1 : count)) >>> 0
    return bit
  }
}

const MAX_BITS = 33
const TREE = 64
const MANTISSA = MAX_BITS * 8
const LOW = MAX_BITS * MAX_BITS
const CELLS = TREE + MANTISSA + LOW

/** Whole numbers up to 2^33 in `contexts` contexts: the count of bits by a tree, the first three of them in the context
    of the count, the others by place. */
export class NumberModel {
  readonly #models: BitModels

  constructor(contexts: number, limit = 255) {
    this.#models = new BitModels(contexts * CELLS, limit)
  }

  code(coder: BitCoder, context: number, wanted: number): number {
    const models = this.#models
    const base = context * CELLS
    let bits = 0
    if (!coder.decoding) bits = wanted < 4294967296 ? 32 - Math.clz32(wanted) : 33
    let node = 1
    for (let shift = 5; shift >= 0; shift--) node = (node << 1) | models.code(coder, base + node, (bits >>> shift) & 1)
    bits = node & 63
    if (bits > MAX_BITS) throw new PatchError('a number is too long')
    if (bits <= 1) return bits
    let value = 1
    let prefix = 1
    for (let place = bits - 2; place >= 0; place--) {
      const divisor = place < 31 ? 1 << place : 2 ** place
      const bit = coder.decoding ? 0 : Math.floor(wanted / divisor) & 1
      let index: number
      if (place >= bits - 4) {
        index = base + TREE + (bits - 1) * 8 + prefix
      } else {
        index = base + TREE + MANTISSA + (bits - 1) * MAX_BITS + place
      }
      const got = models.code(coder, index, bit)
      prefix = (prefix << 1) | got
      value = value * 2 + got
    }
    return value
  }

  /** Signed: 0, 1, -1, 2, ... folded to whole numbers. */
  codeSigned(coder: BitCoder, context: number, wanted: number): number {
    const folded = this.code(coder, context, wanted < 0 ? -wanted * 2 - 1 : wanted * 2)
    return folded % 2 === 1 ? -(folded + 1) / 2 : folded / 2
  }
}
