// Binary arithmetic coding (32-bit range, carry by a cached byte). Encoder and decoder have one shape, so the
// description of the format is written once and walked in both directions: `code` takes the bit when it encodes and
// ignores it when it decodes.

export type BitCoder = {
  readonly decoding: boolean
  /** Codes one bit; `probability` is that of a 1, in 1..65535 of 65536. Returns the bit. */
  code(bit: number, probability: number): number
}

const RANGE_MIN = 0x1000000
const READ_BYTES = 65536
const CUT_MAX = 4
const OVERRUN_MAX = 8

/** Where a coder takes its bytes from: a patch in memory or an open file. */
export type ByteSource = {
  readonly length: number
  /** Fills `target` from `position`; throws when that is not wholly inside the source. */
  read(target: Uint8Array, position: number): void
}

export class PatchError extends Error {
  readonly code = 'DELTA_INVALID'
}

export class RangeEncoder implements BitCoder {
  readonly decoding = false
  #low = 0
  #range = -1
  #cache = 0
  #pending = 0
  #started = false
  #bytes = new Uint8Array(65536)
  #size = 0

  code(bit: number, probability: number): number {
    const range = this.#range >>> 0
    const bound = (range >>> 16) * probability
    let next: number
    if (bit !== 0) {
      next = bound
    } else {
      this.#low += bound
      next = range - bound
    }
    while (next < RANGE_MIN) {
      next *= 256
      this.#shift()
    }
    this.#range = next | 0
    return bit
  }

  /** The bytes so far, with everything pending written out. Up to four trailing zeros are left off: the decoder
      supplies them. */
  finish(): Uint8Array {
    for (let count = 0; count < 5; count++) this.#shift()
    let size = this.#size
    const least = Math.max(0, size - CUT_MAX)
    while (size > least && this.#bytes[size - 1] === 0) size--
    return this.#bytes.slice(0, size)
  }

  #shift(): void {
    const low = this.#low
    if (low < 0xff000000 || low >= 0x100000000) {
      const carry = low >= 0x100000000 ? 1 : 0
      if (this.#started) this.#push(this.#cache + carry)
      this.#started = true
      for (; this.#pending > 0; this.#pending--) this.#push(0xff + carry)
      this.#cache = (low >>> 24) & 0xff
    } else {
      this.#pending++
    }
    this.#low = (low % 0x1000000) * 256
  }

  #push(byte: number): void {
    if (this.#size === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2)
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes[this.#size++] = byte
  }
}

export class RangeDecoder implements BitCoder {
  readonly decoding = true
  #range = -1
  #value = 0
  readonly #source: ByteSource
  readonly #page: Uint8Array
  #position: number
  #at = 0
  #filled = 0
  #overrun = 0

  constructor(source: ByteSource, position: number) {
    this.#source = source
    this.#position = position
    this.#page = new Uint8Array(Math.max(1, Math.min(READ_BYTES, source.length - position)))
    for (let count = 0; count < 4; count++) this.#value = (this.#value << 8) | this.#next()
  }

  code(_bit: number, probability: number): number {
    const range = this.#range >>> 0
    const bound = (range >>> 16) * probability
    const value = this.#value >>> 0
    let bit: number
    let next: number
    let rest: number
    if (value < bound) {
      bit = 1
      next = bound
      rest = value
    } else {
      bit = 0
      next = range - bound
      rest = value - bound
    }
    while (next < RANGE_MIN) {
      next *= 256
      rest = ((rest << 8) | this.#next()) >>> 0
    }
    this.#range = next | 0
    this.#value = rest | 0
    return bit
  }

  #next(): number {
    if (this.#at === this.#filled) {
      const rest = this.#source.length - this.#position
      if (rest <= 0) {
        // An honest patch ends within the zeros that its encoder left off.
        if (++this.#overrun > OVERRUN_MAX) throw new PatchError('the patch ends too early')
        return 0
      }
      this.#filled = Math.min(rest, this.#page.length)
      this.#source.read(this.#page.subarray(0, this.#filled), this.#position)
      this.#position += this.#filled
      this.#at = 0
    }
    return this.#page[this.#at++] ?? 0
  }
}
