// Which of many stretches, in ascending order of their starts, a number lies in: asked for every operand of an update,
// so a table says where in the list to look.

const GRAIN_BITS = 12
const STARTS_MIN = 4
/** A hostile patch may claim many executables: their tables together stay small. */
const GRAINS_PER_START = 2048

export class SortedStarts {
  readonly #starts: Float64Array
  readonly #first: number
  readonly #range: number
  /** For every grain the index of the last start at or before its beginning; empty when the starts lie too far apart. */
  readonly #grains: Uint16Array
  #recent = 0

  constructor(starts: readonly number[]) {
    this.#starts = Float64Array.of(...starts, Infinity)
    this.#first = starts[0] ?? 0
    const range = (starts.at(-1) ?? 0) - this.#first
    const grains = Math.floor(range / (1 << GRAIN_BITS)) + 2
    const narrow = starts.length >= STARTS_MIN && grains <= starts.length * GRAINS_PER_START
    this.#range = narrow ? range : 0
    this.#grains = new Uint16Array(narrow ? grains : 0)
    let index = 0
    for (let grain = 0; grain < this.#grains.length; grain++) {
      const limit = this.#first + grain * (1 << GRAIN_BITS)
      while (index + 1 < starts.length && (this.#starts[index + 1] as number) <= limit) index++
      this.#grains[grain] = index
    }
  }

  /** The index of the last start that is at most `value`; 0 when there is none. */
  at(value: number): number {
    const starts = this.#starts
    const recent = this.#recent
    if ((starts[recent] as number) <= value && value < (starts[recent + 1] as number)) return recent
    return (this.#recent = this.#search(value))
  }

  #search(value: number): number {
    const starts = this.#starts
    let low = 0
    let high = Math.max(0, starts.length - 2)
    const offset = value - this.#first
    if (offset >= 0 && offset < this.#range) {
      const grain = offset >>> GRAIN_BITS
      low = this.#grains[grain] as number
      high = this.#grains[grain + 1] as number
    }
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((starts[middle] as number) <= value) low = middle
      else high = middle - 1
    }
    return low
  }
}
