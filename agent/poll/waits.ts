import { setTimeout as sleep } from 'node:timers/promises'

/** Waits that can be cut short together. None of them keeps the process alive. */
export class Waits {
  readonly #wakes = new Set<AbortController>()

  /** Ends those that are under way. */
  wake(): void {
    for (const wake of this.#wakes) wake.abort()
  }

  async wait(delayMs: number): Promise<void> {
    const wake = new AbortController()
    this.#wakes.add(wake)
    await sleep(delayMs, undefined, { signal: wake.signal, ref: false }).catch(() => undefined)
    this.#wakes.delete(wake)
  }
}
