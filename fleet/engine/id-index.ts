// From the 64 bits of an agent's id to its row, by open addressing. The ids stand in the rows themselves, as their
// first two numbers.

import type { RowPages } from './row-pages.ts'

export const ID_HIGH = 0
export const ID_LOW = 1
/** Beyond it the log is no fleet's. */
export const AGENTS_MAX = 20_000_000
const SLOTS_START = 1024

export class IdIndex {
  readonly #rows: RowPages
  /** Row + 1; 0 is free. */
  #slots = new Uint32Array(SLOTS_START)
  // Ids are chosen by those who write to the log: without it they could choose ones that all meet in one slot.
  readonly #seed = Math.floor(Math.random() * 0x1_0000_0000)

  constructor(rows: RowPages) {
    this.#rows = rows
  }

  /** The row of an id, a new one if need be; -1 when there are too many. */
  rowOf(high: number, low: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = this.#hash(high, low) & mask
    for (let entry = slots[slot] ?? 0; entry > 0; entry = slots[slot] ?? 0) {
      const page = this.#rows.pageOf(entry - 1)
      const at = this.#rows.offsetOf(entry - 1)
      if (page[at + ID_LOW] === low && page[at + ID_HIGH] === high) return entry - 1
      slot = (slot + 1) & mask
    }
    return this.#rows.length < AGENTS_MAX ? this.#add(slot, high, low) : -1
  }

  #add(slot: number, high: number, low: number): number {
    const row = this.#rows.add()
    const page = this.#rows.pageOf(row)
    const at = this.#rows.offsetOf(row)
    page[at + ID_HIGH] = high
    page[at + ID_LOW] = low
    this.#slots[slot] = row + 1
    if (this.#rows.length * 3 > this.#slots.length * 2) this.#grow()
    return row
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (let row = 0; row < this.#rows.length; row++) {
      const page = this.#rows.pageOf(row)
      const at = this.#rows.offsetOf(row)
      let slot = this.#hash(page[at + ID_HIGH] ?? 0, page[at + ID_LOW] ?? 0) & mask
      while ((slots[slot] ?? 0) > 0) slot = (slot + 1) & mask
      slots[slot] = row + 1
    }
    this.#slots = slots
  }

  #hash(high: number, low: number): number {
    let hash = Math.imul(low ^ this.#seed, 0x9e3779b1)
    hash = Math.imul(hash ^ (hash >>> 15) ^ high, 0x85ebca77)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae3d)
    return (hash ^ (hash >>> 16)) >>> 0
  }
}
