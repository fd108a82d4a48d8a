// Where each place of the old file went: read off the covers, which both sides know before the first operand.

const GRAIN_BITS = 9
/** A cover's number is kept beside its place in one sortable number. */
const NUMBERS = 2 ** 22
const STEP = 1 << 15

/** Old place, new place, size. */
export type Spare = readonly [old: number, fresh: number, size: number]
export type Covers = { count: number; news: Int32Array; olds: Int32Array; lengths: Int32Array }

export class CoverMap {
  /** Whether the place last mapped lies inside a cover; otherwise the shift is that of a neighbour. */
  inside = false
  readonly #covers: Covers
  readonly #spares: readonly Spare[]
  readonly #starts: Int32Array
  readonly #ends: Int32Array
  readonly #shifts: Int32Array
  #count = 0
  /** For every grain of the old file the first cover that ends behind its beginning. */
  readonly #index: Int32Array
  #ownStart = 0
  #ownEnd = 0
  #ownShift = 0

  /** `spares`: stretches of memory behind both files (old place, new place, size). */
  constructor(covers: Covers, oldEnd: number, spares: readonly Spare[]) {
    this.#covers = covers
    this.#spares = spares
    const total = covers.count + spares.length
    this.#starts = new Int32Array(total)
    this.#ends = new Int32Array(total)
    this.#shifts = new Int32Array(total)
    this.#index = new Int32Array((oldEnd >>> GRAIN_BITS) + 2)
  }

  /** Must be walked to its end before the first place is mapped. */
  *prepare(): Generator<undefined> {
    const order = this.#sort()
    yield
    let count = 0
    let reached = -1
    for (let at = 0; at < order.length; at++) {
      const key = order[at] as number
      const old = Math.floor(key / NUMBERS)
      const [end, shift] = this.#read(key - old * NUMBERS)
      if (end > reached) {
        this.#starts[count] = Math.max(old, reached)
        this.#ends[count] = end
        this.#shifts[count++] = shift
        reached = end
      }
      if (at % STEP === STEP - 1) yield
    }
    this.#count = count
    let cover = 0
    for (let grain = 0; grain < this.#index.length; grain++) {
      while (cover < count && (this.#ends[cover] as number) <= grain << GRAIN_BITS) cover++
      this.#index[grain] = cover
      if (grain % STEP === STEP - 1) yield
    }
  }

  /** Covers and spares by their old place, each as one number. */
  #sort(): Float64Array {
    const { count, olds } = this.#covers
    const order = new Float64Array(count + this.#spares.length)
    for (let index = 0; index < count; index++) order[index] = (olds[index] as number) * NUMBERS + index
    this.#spares.forEach(([old], index) => (order[count + index] = old * NUMBERS + count + index))
    return order.sort()
  }

  #read(index: number): [end: number, shift: number] {
    const { count, news, olds, lengths } = this.#covers
    if (index >= count) {
      const [old, fresh, size] = this.#spares[index - count] as Spare
      return [old + size, fresh - old]
    }
    const old = olds[index] as number
    return [old + (lengths[index] as number), (news[index] as number) - old]
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
