// What each agent said has happened, each event once however often it was told.

import { RowPages } from './row-pages.ts'

const N_HIGH = 0
const N_LOW = 1
const SECOND = 2
/** Two bits of kind, the rest is the version. */
const WHAT = 3
const DETAIL = 4
const NEXT = 5
const WORDS = 6
const HIGH_PART = 0x1_0000_0000

/** Indexes, and seconds. */
export interface EventRow {
  readonly n: number
  readonly second: number
  readonly kind: number
  readonly version: number
  readonly detail: number
}

/** Lists in one table: a head is the row + 1 of the first entry, and 0 that of an empty list. */
export class EventLists {
  readonly #rows = new RowPages(WORDS)
  readonly #compare: (a: EventRow, b: EventRow) => number

  /** @param compare what two events say, in an order that does not depend on indexes */
  constructor(compare: (a: EventRow, b: EventRow) => number) {
    this.#compare = compare
  }

  /** The new head. */
  fold(head: number, event: EventRow): number {
    const known = this.#find(head, event.n)
    if (known === undefined) {
      const row = this.#rows.add()
      this.#write(row, event)
      this.#rows.pageOf(row)[this.#rows.offsetOf(row) + NEXT] = head
      return row + 1
    }
    // Told again. That it says something else, an agent does only whose home was lost or copied: the first word counts.
    const old = this.#read(known)
    if (event.second < old.second || (event.second === old.second && this.#compare(event, old) < 0)) {
      this.#write(known, event)
    }
    return head
  }

  read(head: number): EventRow[] {
    const events: EventRow[] = []
    for (let link = head; link > 0; link = this.#nextOf(link - 1)) events.push(this.#read(link - 1))
    return events
  }

  #find(head: number, n: number): number | undefined {
    for (let link = head; link > 0; link = this.#nextOf(link - 1)) if (this.#read(link - 1).n === n) return link - 1
    return undefined
  }

  #nextOf(row: number): number {
    return this.#rows.pageOf(row)[this.#rows.offsetOf(row) + NEXT] ?? 0
  }

  #read(row: number): EventRow {
    const page = this.#rows.pageOf(row)
    const at = this.#rows.offsetOf(row)
    const what = page[at + WHAT] ?? 0
    return {
      n: (page[at + N_HIGH] ?? 0) * HIGH_PART + (page[at + N_LOW] ?? 0),
      second: page[at + SECOND] ?? 0,
      kind: what & 3,
      version: what >>> 2,
      detail: page[at + DETAIL] ?? 0,
    }
  }

  #write(row: number, { n, second, kind, version, detail }: EventRow): void {
    const page = this.#rows.pageOf(row)
    const at = this.#rows.offsetOf(row)
    page[at + N_HIGH] = Math.floor(n / HIGH_PART)
    page[at + N_LOW] = n % HIGH_PART
    page[at + SECOND] = second
    page[at + WHAT] = (version << 2) | kind
    page[at + DETAIL] = detail
  }
}
