// Rows of numbers in pages: a million agents are a hundred megabytes here, and several hundred as objects. Pages grow
// without copying what is there.

const PAGE_BITS = 15
const PAGE_MASK = (1 << PAGE_BITS) - 1

export class RowPages {
  readonly #pages: Uint32Array[] = []
  readonly #stride: number
  #length = 0

  constructor(stride: number) {
    this.#stride = stride
  }

  get length(): number {
    return this.#length
  }

  /** The index of a new row, all zero. */
  add(): number {
    if (this.#length >>> PAGE_BITS === this.#pages.length) {
      this.#pages.push(new Uint32Array(this.#stride << PAGE_BITS))
    }
    return this.#length++
  }

  pageOf(row: number): Uint32Array {
    const page = this.#pages[row >>> PAGE_BITS]
    if (page === undefined) throw new RangeError(`no such row: ${row}`)
    return page
  }

  /** Where the row starts in its page. */
  offsetOf(row: number): number {
    return (row & PAGE_MASK) * this.#stride
  }
}
