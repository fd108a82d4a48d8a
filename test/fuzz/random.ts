/** A source of numbers that gives the same ones for the same seed (mulberry32). */
export class Random {
  #state: number

  /** @param stream another sequence of the same seed, such as the number of a mutant */
  constructor(seed: number, stream = 0) {
    // Streams that lie side by side must not run in step.
    this.#state = Math.imul(seed ^ Math.imul(stream + 0x9e3779b9, 0x85ebca6b), 0xc2b2ae35) | 0
    this.below(1)
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  pick<T>(items: readonly [T, ...T[]] | readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[this.below(items.length)] as T
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }
}

/** Numbers in [0, 1) that a seed repeats. */
export function randomFrom(seed: number): () => number {
  const random = new Random(seed)
  return () => random.below(2 ** 32) / 2 ** 32
}

/** The seed of a test run: that of the environment, to repeat one, or a new one. */
export function testSeed(): number {
  return Number(process.env['MOULT_TEST_SEED'] ?? Date.now() >>> 0)
}
