// `<home>/beacon.json`: what has happened to an agent and was not yet said in enough polls, and since when each version is
// offered. Only told, never acted on, so nothing here may fail: a full disk costs an event, never an update.

import { statSync } from 'node:fs'
import { join } from 'node:path'

import {
  type Beacon,
  BEACON_EVENTS,
  type BeaconEvent,
  beaconWord,
  isMoultError,
  parseStrictJson,
  shape,
  toldEvents,
  versionShape,
} from '../../manifests/index.ts'
import type { AgentEvent } from '../events/events.ts'
import { readIfPossible } from '../home/durable-file.ts'
import { type Home, versionDirectory } from '../home/home.ts'
import { RECEIPT_NAME } from '../home/receipt.ts'
import { replaceToldFile } from '../home/told-file.ts'
import type { Settings } from '../settings/settings.ts'

/** Answered polls that have to say an event, as a host may lose a line of its log. */
const TELLINGS = 2
const EVENTS_MAX = 8
const OFFERS_MAX = 4
const NUMBER_MAX = 999_999_999_999_990

const { array, integer, object, oneOf, optional, string } = shape
const word = string({ pattern: /^[A-Za-z0-9._+-]{1,40}$/, says: 'a word' })
const bookShape = object(
  {
    /** Of the last event. */
    n: integer({ max: NUMBER_MAX }),
    events: array(
      object({
        n: integer({ max: NUMBER_MAX }),
        kind: oneOf(...BEACON_EVENTS),
        version: versionShape,
        detail: word,
        told: integer(),
      }),
      { max: EVENTS_MAX },
    ),
    /** Since when: milliseconds since 1970. The latest offer is the last. */
    offers: array(object({ version: versionShape, atMs: integer() }), { max: OFFERS_MAX }),
    /** The failure that was told last. */
    failed: optional(object({ version: versionShape, code: word })),
  },
  { open: true },
)
type Book = shape.ShapeOf<typeof bookShape>

/** What to say of it at the next poll, the oldest first. */
export function untoldEvents({ home }: Settings): readonly BeaconEvent[] {
  return readBook(home.beacon)?.events ?? []
}

/** Takes down what the fleet is to hear of. @param nowMs milliseconds since 1970 */
export function bookEvent(settings: Settings, event: AgentEvent, nowMs: number): void {
  const change = (made: (book: Book) => Book): void => changeBook(settings, nowMs, made)
  if (event.kind === 'checked') {
    const { decision } = event
    if (decision.kind === 'install' || decision.kind === 'wait')
      change((book) => withOffer(book, decision.version, nowMs))
  } else if (event.kind === 'swapped') {
    // The first version of a home is no update.
    if (event.previous === undefined) change((book) => withoutOffer(book, event.version))
  } else if (event.kind === 'confirmed') {
    change((book) => updated(settings, book, event.version, nowMs))
  } else if (event.kind === 'rolled-back') {
    const { version, reason } = event
    change((book) => withEvent(withoutOffer(book, version), 'rolled-back', version, reason))
  }
}

/** An update to `version` could not be made: told once until it fails otherwise. @param code of the error */
export function bookFailure(settings: Settings, version: string, code: string, nowMs: number): void {
  const detail = code.replace(/^ERR_/, '')
  changeBook(settings, nowMs, (book) => {
    if (book.failed?.version === version && book.failed.code === detail) return book
    return { ...withEvent(book, 'failed', version, detail), failed: { version, code: detail } }
  })
}

/**
 * What was offered runs now, and is not on trial. Told already by its confirmation, unless that was cut off by a crash, or
 * others have brought the version.
 */
export function bookArrival(settings: Settings, version: string, nowMs: number): void {
  changeBook(settings, nowMs, (book) => {
    return book.offers.some((offer) => offer.version === version) ? updated(settings, book, version, nowMs) : book
  })
}

/** An answer came to a poll that said this. */
export function bookTold(settings: Settings, said: Beacon, nowMs: number): void {
  const count = said.events.length === 0 ? 0 : toldEvents(said)
  const numbers = new Set(said.events.slice(0, count).map(({ n }) => n))
  if (numbers.size === 0) return
  changeBook(settings, nowMs, (book) => {
    const counted = book.events.map((event) => (numbers.has(event.n) ? { ...event, told: event.told + 1 } : event))
    return { ...book, events: counted.filter(({ told }) => told < TELLINGS) }
  })
}

function updated(settings: Settings, book: Book, version: string, nowMs: number): Book {
  const offeredMs = book.offers.find((offer) => offer.version === version)?.atMs
  const sinceMs = offeredMs ?? installedMs(settings.home, version) ?? nowMs
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000))
  const { failed: _, ...rest } = withoutOffer(book, version)
  return withEvent(rest, 'updated', version, String(seconds))
}

function withEvent(book: Book, kind: BeaconEvent['kind'], version: string, detail: string): Book {
  const n = book.n + 1
  const event = { n, kind, version, detail: beaconWord(detail), told: 0 }
  return { ...book, n, events: [...book.events, event].slice(-EVENTS_MAX) }
}

/** Where the first offer is not known any more: when its files came onto this machine. */
function installedMs(home: Home, version: string): number | undefined {
  return statSync(join(versionDirectory(home, version), RECEIPT_NAME), { throwIfNoEntry: false })?.mtimeMs
}

function withOffer(book: Book, version: string, atMs: number): Book {
  if (book.offers.some((offer) => offer.version === version)) return book
  return { ...book, offers: [...book.offers, { version, atMs }].slice(-OFFERS_MAX) }
}

function withoutOffer(book: Book, version: string): Book {
  const offers = book.offers.filter((offer) => offer.version !== version)
  return offers.length === book.offers.length ? book : { ...book, offers }
}

/** @param change gives the book itself when nothing changes */
function changeBook({ home, beacon }: Settings, nowMs: number, change: (book: Book) => Book): void {
  if (!beacon) return
  try {
    const book = readBook(home.beacon) ?? newBook(nowMs)
    const changed = change(book)
    if (changed !== book) replaceToldFile(home.disk, home.beacon, `${JSON.stringify(changed)}\n`, 0o600)
  } catch {
    // A full disk or a read-only home: the work itself says so.
  }
}

/** Undefined when there is none, or it is damaged. */
function readBook(path: string): Book | undefined {
  const bytes = readIfPossible(path)
  if (bytes === undefined) return undefined
  try {
    return bookShape.check(parseStrictJson(bytes), '')
  } catch (error) {
    if (error instanceof shape.ShapeMismatch || isMoultError(error)) return undefined
    throw error
  }
}

/**
 * Numbers begin with the seconds since 1970. A home that was lost or damaged MUST NOT use one twice: the second event of
 * a number passes for the first one said again. And the order of the numbers stays that of the events.
 */
function newBook(nowMs: number): Book {
  return { n: Math.min(Math.max(0, Math.floor(nowMs / 1000)), NUMBER_MAX / 10), events: [], offers: [] }
}
