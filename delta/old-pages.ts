// Reads of the old file, which come in small pieces from anywhere: pages are kept, a few megabytes in all.

import { PatchError, type ByteSource } from './range-coder.ts'

const PAGE_BITS = 17
const PAGE_BYTES = 1 << PAGE_BITS
const SLOTS = 64

export class OldPages {
  readonly length: number
  readonly #source: ByteSource
  readonly #pages: Uint8Array[] = []
  readonly #held = new Int32Array(SLOTS).fill(-1)

  constructor(source: ByteSource) {
    this.#source = source
    this.length = source.length
  }

  /** Copies old bytes to `target`. Outside the old file: PatchError. */
  copy(target: Uint8Array, at: number, position: number, length: number): void {
    if (position < 0 || position + length > this.length) throw new PatchError('a cover lies outside the old file')
    let done = 0
    while (done < length) {
      const place = position + done
      const page = this.#page(place >>> PAGE_BITS)
      const from = place & (PAGE_BYTES - 1)
      const count = Math.min(length - done, PAGE_BYTES - from)
      if (count < 48)
        for (let index = 0; index < count; index++) target[at + done + index] = page[from + index] as number
      else target.set(page.subarray(from, from + count), at + done)
      done += count
    }
  }

  byteAt(position: number): number {
    if (position < 0 || position >= this.length) return 0
    return this.#page(position >>> PAGE_BITS)[position & (PAGE_BYTES - 1)] as number
  }

  #page(number: number): Uint8Array {
    // Two runs that alternate (code and its tables) must not evict each other: spread pages over the slots.
    const slot = (number ^ (number >>> 7)) & (SLOTS - 1)
    const page = this.#pages[slot]
    if (page !== undefined && this.#held[slot] === number) return page
    const loaded = page ?? new Uint8Array(PAGE_BYTES)
    const start = number << PAGE_BITS
    this.#source.read(loaded.subarray(0, Math.min(PAGE_BYTES, this.length - start)), start)
    this.#pages[slot] = loaded
    this.#held[slot] = number
    return loaded
  }
}
