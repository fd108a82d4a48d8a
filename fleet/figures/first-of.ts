/** The first of many things in some order, without keeping the rest. */
export class FirstOf<T> {
  #items: T[] = []
  readonly #max: number
  readonly #compare: (a: T, b: T) => number

  constructor(max: number, compare: (a: T, b: T) => number) {
    this.#max = max
    this.#compare = compare
  }

  add(item: T): void {
    this.#items.push(item)
    // Sorted now and then, and not each time.
    if (this.#items.length >= this.#max * 4) this.#cut()
  }

  read(): readonly T[] {
    this.#cut()
    return this.#items
  }

  #cut(): void {
    this.#items = this.#items.sort(this.#compare).slice(0, this.#max)
  }
}
