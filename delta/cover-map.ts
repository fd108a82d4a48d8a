// Where each place of the old file went: read off the covers, which both sides know before the first operand.

const GRAIN_BITS = 9
/** A cover's number is kept beside its place in one sortable number. */
const NUMBERS = 2 ** 22

export type Covers = { count: number; news: Int32Array; olds: Int32Array; lengths: Int32Array }

export class CoverMap {
  /** Whether the place last mapped lies inside a cover; otherwise the shift is that of a neighbour. */
  inside = false
  readonly #starts: Int32Array
  readonly #ends: Int32Array
  readonly #shifts: Int32Array
  readonly #count: number
  /** For every grain of the old file the first cover that ends behind its beginning. */
  readonly #index: Int32Array
  #ownStart = 0
  #ownEnd = 0
  #ownShift = 0

  /** `spares`: stretches of memory behind both files (old place, new place, size). */
  constructor(covers: Covers, oldEnd: number, spares: readonly (readonly [number, number, number])[]) {
    const total = covers.count + spares.length
    const order = new Float64Array(total)
    for (let index = 0; index < covers.count; index++) order[index] = (covers.olds[index] as number) * NUMBERS + index
    spares.forEach(([old], index) => (order[covers.count + index] = old * NUMBERS + covers.count + index))
    order.sort()
    this.#starts = new Int32Array(total)
    this.#ends = new Int32Array(total)
    this.#shifts = new Int32Array(total)
    let count = 0
    let reached = -1
    for (const key of order) {
      const index = key % NUMBERS
      const spare = spares[index - covers.count]
      const old = spare === undefined ? (covers.olds[index] as number) : spare[0]
      const end = old + (spare === undefined ? (covers.lengths[index] as number) : spare[2])
      if (end <= reached) continue
      this.#starts[count] = Math.max(old, reached)
      this.#ends[count] = end
      this.#shifts[count++] = (spare === undefined ? (covers.news[index] as number) : spare[1]) - old
      reached = end
    }
    this.#count = count
    const grains = (oldEnd >>> GRAIN_BITS) + 2
    this.#index = new Int32Array(grains)
    let cover = 0
    for (let grain = 0; grain < grains; grain++) {
      while (cover < count && (this.#ends[cover] as number) <= grain << GRAIN_BITS) cover++
      this.#index[grain] = cover
    }
  }

  /** The cover being walked: what it refers to in itself has moved with it, whatever other covers took from there. */
  enter(start: number, end: number, shift: number): void {
    this.#ownStart = start
    this.#ownEnd = end
    this.#ownShift = shift
  }

  map(place: number): number {
    if (place >= this.#ownStart && place < this.#ownEnd) {
      this.inside = true
      return place + this.#ownShift
    }
    const count = this.#count
    const starts = this.#starts
    const ends = this.#ends
    let cover = this.#firstEndingBehind(place)
    if (cover < count && (starts[cover] as number) <= place) {
      this.inside = true
      return place + (this.#shifts[cover] as number)
    }
    this.inside = false
    if (count === 0) return place
    // Between two covers: as the nearer end moved.
    if (cover === count) cover--
    else if (cover > 0 && place - (ends[cover - 1] as number) < (starts[cover] as number) - place) cover--
    return place + (this.#shifts[cover] as number)
  }

  #firstEndingBehind(place: number): number {
    const ends = this.#ends
    const grain = place >>> GRAIN_BITS
    let low = this.#index[grain] as number
    let high = this.#index[grain + 1] as number
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ends[middle] as number) <= place) low = middle + 1
      else high = middle
    }
    return low
  }
}
