// What is known of each agent, folded from polls in whatever order they come: logs arrive late and mixed. Everything
// kept is a minimum, a maximum, a sum or a set, so the order of files and lines does not matter.

import type { BeaconEvent } from '../../manifests/beacon.ts'
import { type Batch, EVENT_KINDS, EVENT_WORDS, HIGH_PART, POLL_WORDS } from '../scan/batch.ts'
import { Interner, type Tail, tailKey } from '../scan/tail.ts'
import { EventLists, type EventRow } from './event-lists.ts'
import { ID_HIGH, ID_LOW, IdIndex } from './id-index.ts'
import { RowPages } from './row-pages.ts'
import { compareTexts, compareVersionTexts } from './version-order.ts'
import { VisitLists } from './visit-lists.ts'

const TAILS_MAX = 262_144
const TEXTS_MAX = 1_048_576

// The fields of a row of each kind. Lists are linked by row + 1; 0 ends them.
const TAIL = 2
const FIRST = 3
const LAST = 4
const POLLS = 5
const VISITS = 6
const EVENTS = 7
const AGENT_WORDS = 8

/** From the indexes of one scanner to those of the fleet. */
export interface IndexMap {
  readonly tails: number[]
  readonly texts: number[]
}

/** A version on which an agent was seen. */
export interface Visit {
  readonly version: string
  readonly firstMs: number
  readonly lastMs: number
}

export interface AgentEvent extends BeaconEvent {
  /** When it was first told; it happened since the poll before. */
  readonly toldMs: number
}

/** One agent. The object is used again for the next: keep its values, and not the object. */
export interface AgentView {
  readonly id: string
  /** Of the newest poll. */
  readonly tail: Tail
  readonly firstMs: number
  readonly lastMs: number
  readonly polls: number
  /** In the order in which the versions were first seen. */
  visits(): Visit[]
  /** By `n`. */
  events(): AgentEvent[]
}

export class Fleet {
  readonly #agents = new RowPages(AGENT_WORDS)
  readonly #visits = new VisitLists()
  readonly #events = new EventLists((a, b) => compareTexts(this.#textOf(a), this.#textOf(b)))
  readonly #index = new IdIndex(this.#agents)
  readonly #tails = new Interner<Tail>(TAILS_MAX)
  readonly #texts = new Interner<string>(TEXTS_MAX)
  /** By tail, the index of its version. */
  readonly #versionOfTail: number[] = []
  #refused = 0

  get size(): number {
    return this.#agents.length
  }

  /** Polls and events that found no room: the log names more different things than a fleet does. */
  get refused(): number {
    return this.#refused
  }

  fold(batch: Batch, map: IndexMap): void {
    for (const text of batch.texts) map.texts.push(this.#texts.indexOf(text, text))
    for (const tail of batch.tails) map.tails.push(this.#addTail(tail))
    const { polls } = batch
    for (let at = 0; at < batch.pollCount * POLL_WORDS; at += POLL_WORDS) {
      const tail = map.tails[polls[at + 3] ?? 0] ?? -1
      if (tail < 0) this.#refused++
      else this.#foldPoll(polls[at] ?? 0, polls[at + 1] ?? 0, polls[at + 2] ?? 0, tail)
    }
    for (let row = 0; row < batch.eventCount; row++) {
      this.#foldEvent(batch.events.subarray(row * EVENT_WORDS, (row + 1) * EVENT_WORDS), map)
    }
  }

  #addTail(tail: Tail): number {
    const index = this.#tails.indexOf(tailKey(tail), tail)
    const version = this.#texts.indexOf(tail.version, tail.version)
    if (index < 0 || version < 0) return -1
    this.#versionOfTail[index] = version
    return index
  }

  #foldPoll(high: number, low: number, second: number, tail: number): void {
    const row = this.#index.rowOf(high, low)
    if (row < 0) {
      this.#refused++
      return
    }
    const page = this.#agents.pageOf(row)
    const at = this.#agents.offsetOf(row)
    const polls = page[at + POLLS] ?? 0
    if (polls === 0 || second < (page[at + FIRST] ?? 0)) page[at + FIRST] = second
    if (polls === 0 || this.#isLater(second, tail, page[at + LAST] ?? 0, page[at + TAIL] ?? 0)) {
      page[at + LAST] = second
      page[at + TAIL] = tail
    }
    page[at + POLLS] = polls + 1
    page[at + VISITS] = this.#visits.fold(page[at + VISITS] ?? 0, this.#versionOfTail[tail] ?? 0, second)
  }

  /** Of two polls in the same second the one of the newer version counts, for an update is what happens in a second. */
  #isLater(second: number, tail: number, lastSecond: number, lastTail: number): boolean {
    if (second !== lastSecond || tail === lastTail) return second > lastSecond
    const [one, other] = [this.#tailAt(tail), this.#tailAt(lastTail)]
    return (compareVersionTexts(one.version, other.version) || compareTexts(tailKey(one), tailKey(other))) > 0
  }

  #foldEvent(words: Uint32Array, map: IndexMap): void {
    const [high = 0, low = 0, second = 0, nHigh = 0, nLow = 0, kind = 0, localVersion = 0, localDetail = 0] = words
    const version = map.texts[localVersion] ?? -1
    const detail = EVENT_KINDS[kind] === 'updated' ? localDetail : (map.texts[localDetail] ?? -1)
    const row = this.#index.rowOf(high, low)
    if (row < 0 || version < 0 || detail < 0) {
      this.#refused++
      return
    }
    const page = this.#agents.pageOf(row)
    const at = this.#agents.offsetOf(row) + EVENTS
    page[at] = this.#events.fold(page[at] ?? 0, { n: nHigh * HIGH_PART + nLow, second, kind, version, detail })
  }

  #tailAt(index: number): Tail {
    const tail = this.#tails.items[index]
    if (tail === undefined) throw new RangeError(`no such tail: ${index}`)
    return tail
  }

  #textOf(event: EventRow): string {
    const { kind, version, detail } = this.#beaconEventOf(event)
    return `${kind} ${version} ${detail}`
  }

  #beaconEventOf({ n, kind: kindIndex, version, detail }: EventRow): BeaconEvent {
    const kind = EVENT_KINDS[kindIndex] ?? 'failed'
    const text = kind === 'updated' ? String(detail) : (this.#texts.items[detail] ?? '')
    return { n, kind, version: this.#texts.items[version] ?? '', detail: text }
  }

  /** Calls back for each agent. The order says nothing. */
  forEachAgent(look: (agent: AgentView) => void): void {
    const cursor = new AgentCursor(
      (tail) => this.#tailAt(tail),
      (head) => this.#visitsOf(head),
      (head) => this.#eventsOf(head),
    )
    for (let row = 0; row < this.size; row++) {
      cursor.page = this.#agents.pageOf(row)
      cursor.at = this.#agents.offsetOf(row)
      // Known by events only: they come with a poll, which found no room.
      if (cursor.polls > 0) look(cursor)
    }
  }

  #visitsOf(head: number): Visit[] {
    return this.#visits
      .read(head)
      .map(({ version, first, last }) => {
        return { version: this.#texts.items[version] ?? '', firstMs: first * 1000, lastMs: last * 1000 }
      })
      .sort((a, b) => a.firstMs - b.firstMs || compareVersionTexts(a.version, b.version))
  }

  #eventsOf(head: number): AgentEvent[] {
    return this.#events
      .read(head)
      .map((event) => ({ ...this.#beaconEventOf(event), toldMs: event.second * 1000 }))
      .sort((a, b) => a.n - b.n)
  }
}

/** An object for each of a million agents would cost more than what is asked of them. */
class AgentCursor implements AgentView {
  page: Uint32Array = new Uint32Array(0)
  at = 0
  readonly #tailAt: (index: number) => Tail
  readonly #visitsOf: (head: number) => Visit[]
  readonly #eventsOf: (head: number) => AgentEvent[]

  constructor(
    tailAt: (index: number) => Tail,
    visitsOf: (head: number) => Visit[],
    eventsOf: (head: number) => AgentEvent[],
  ) {
    this.#tailAt = tailAt
    this.#visitsOf = visitsOf
    this.#eventsOf = eventsOf
  }

  get id(): string {
    return hexOf(this.#word(ID_HIGH)) + hexOf(this.#word(ID_LOW))
  }

  get tail(): Tail {
    return this.#tailAt(this.#word(TAIL))
  }

  get firstMs(): number {
    return this.#word(FIRST) * 1000
  }

  get lastMs(): number {
    return this.#word(LAST) * 1000
  }

  get polls(): number {
    return this.#word(POLLS)
  }

  visits(): Visit[] {
    return this.#visitsOf(this.#word(VISITS))
  }

  events(): AgentEvent[] {
    return this.#eventsOf(this.#word(EVENTS))
  }

  #word(field: number): number {
    return this.page[this.at + field] ?? 0
  }
}

function hexOf(half: number): string {
  return half.toString(16).padStart(8, '0')
}
