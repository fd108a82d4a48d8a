// On which versions each agent was seen, and from when to when.

import { RowPages } from './row-pages.ts'

const VERSION = 0
const FIRST = 1
const LAST = 2
const NEXT = 3
const WORDS = 4

export interface VisitRow {
  /** Index of a text. */
  readonly version: number
  /** Seconds. */
  readonly first: number
  readonly last: number
}

/** Lists in one table: a head is the row + 1 of the first entry, and 0 that of an empty list. */
export class VisitLists {
  readonly #rows = new RowPages(WORDS)

  /** The new head. */
  fold(head: number, version: number, second: number): number {
    for (let link = head; link > 0;) {
      const page = this.#rows.pageOf(link - 1)
      const at = this.#rows.offsetOf(link - 1)
      if (page[at + VERSION] === version) {
        if (second < (page[at + FIRST] ?? 0)) page[at + FIRST] = second
        if (second > (page[at + LAST] ?? 0)) page[at + LAST] = second
        return head
      }
      link = page[at + NEXT] ?? 0
    }
    const row = this.#rows.add()
    const page = this.#rows.pageOf(row)
    const at = this.#rows.offsetOf(row)
    page[at + VERSION] = version
    page[at + FIRST] = second
    page[at + LAST] = second
    page[at + NEXT] = head
    return row + 1
  }

  read(head: number): VisitRow[] {
    const visits: VisitRow[] = []
    for (let link = head; link > 0;) {
      const page = this.#rows.pageOf(link - 1)
      const at = this.#rows.offsetOf(link - 1)
      visits.push({ version: page[at + VERSION] ?? 0, first: page[at + FIRST] ?? 0, last: page[at + LAST] ?? 0 })
      link = page[at + NEXT] ?? 0
    }
    return visits
  }
}
