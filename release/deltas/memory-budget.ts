/**
 * Lets jobs run while what they need fits, in the order in which they asked. Threads have no bound on the buffers that they
 * allocate, so what a job needs is its own estimate.
 */
export class MemoryBudget {
  readonly #bytes: number
  #used = 0
  readonly #waiting: { readonly bytes: number; readonly begin: () => void }[] = []

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Whether it would ever run. */
  fits(bytes: number): boolean {
    return bytes <= this.#bytes
  }

  /** The caller MUST have asked whether it fits: else it waits for ever. */
  async use<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ bytes, begin })
      this.#beginNext()
    })
    try {
      return await work()
    } finally {
      this.#used -= bytes
      this.#beginNext()
    }
  }

  #beginNext(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#used + next.bytes <= this.#bytes;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift()
      this.#used += next.bytes
      next.begin()
    }
  }
}
