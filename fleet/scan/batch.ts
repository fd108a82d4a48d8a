// What a scanner hands to the fold: numbers in rows, and the texts that the numbers mean when they are new. Plain data,
// so that it goes from thread to thread without being copied.

import type { BeaconEvent } from '../../manifests/beacon.ts'
import { Interner, type Tail, tailKey } from './tail.ts'

/** id high, id low, second, tail. */
export const POLL_WORDS = 4
/** id high, id low, second, n high, n low, kind, version, detail. */
export const EVENT_WORDS = 8
const POLLS_START = 16_384
const EVENTS_START = 1024
const SECONDS_MAX = 0xffff_ffff
/** Of the 15 digits that a beacon may have. */
export const HIGH_PART = 0x1_0000_0000

export const EVENT_KINDS = ['updated', 'rolled-back', 'failed'] as const satisfies readonly BeaconEvent['kind'][]

export interface Batch {
  readonly polls: Uint32Array<ArrayBuffer>
  readonly pollCount: number
  readonly events: Uint32Array<ArrayBuffer>
  readonly eventCount: number
  /** Those that no earlier batch of this scanner had, in the order of their indexes. */
  readonly tails: readonly Tail[]
  /** Versions and reasons, likewise. */
  readonly texts: readonly string[]
}

export class BatchWriter {
  readonly #tails = new Interner<Tail>()
  readonly #texts = new Interner<string>()
  #tailsTold = 0
  #textsTold = 0
  #polls = new Uint32Array(POLLS_START * POLL_WORDS)
  #pollCount = 0
  #events = new Uint32Array(EVENTS_START * EVENT_WORDS)
  #eventCount = 0

  /** -1 when there are too many. */
  tailIndex(tail: Tail): number {
    return this.#tails.indexOf(tailKey(tail), tail)
  }

  get isFull(): boolean {
    return this.#pollCount >= POLLS_START / 2 || this.#eventCount >= EVENTS_START / 2
  }

  addPoll(idHigh: number, idLow: number, second: number, tail: number): void {
    if ((this.#pollCount + 1) * POLL_WORDS > this.#polls.length) this.#polls = doubled(this.#polls)
    const polls = this.#polls
    const at = this.#pollCount++ * POLL_WORDS
    polls[at] = idHigh
    polls[at + 1] = idLow
    polls[at + 2] = second
    polls[at + 3] = tail
  }

  /** False when it says too many different things. */
  addEvent(idHigh: number, idLow: number, second: number, { n, kind, version, detail }: BeaconEvent): boolean {
    const versionIndex = this.#texts.indexOf(version, version)
    const isDuration = kind === 'updated'
    const detailIndex = isDuration ? readSeconds(detail) : this.#texts.indexOf(detail, detail)
    if (versionIndex < 0 || detailIndex < 0) return false
    if ((this.#eventCount + 1) * EVENT_WORDS > this.#events.length) this.#events = doubled(this.#events)
    const row = [idHigh, idLow, second, Math.floor(n / HIGH_PART), n % HIGH_PART, EVENT_KINDS.indexOf(kind)]
    this.#events.set([...row, versionIndex, detailIndex], this.#eventCount++ * EVENT_WORDS)
    return true
  }

  /** The rows so far; the writer goes on with the arrays that were used before, if it is given some. */
  take(polls = new Uint32Array(this.#polls.length), events = new Uint32Array(this.#events.length)): Batch {
    const tails = this.#tails.items.slice(this.#tailsTold)
    const texts = this.#texts.items.slice(this.#textsTold)
    this.#tailsTold += tails.length
    this.#textsTold += texts.length
    const batch = {
      polls: this.#polls,
      pollCount: this.#pollCount,
      events: this.#events,
      eventCount: this.#eventCount,
      tails,
      texts,
    }
    this.#polls = polls
    this.#events = events
    this.#pollCount = this.#eventCount = 0
    return batch
  }
}

/** The detail of `updated`, which a clock that was set right can make too long; -1 for what is no number of seconds. */
function readSeconds(detail: string): number {
  return /^\d{1,15}$/.test(detail) ? Math.min(Number(detail), SECONDS_MAX) : -1
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2)
  larger.set(array)
  return larger
}
