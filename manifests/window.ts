// Maintenance windows: when a machine may be changed, by the clock on its wall. Pure: the time comes in, and what a zone's
// clocks show at that time comes from Intl.
//
// A window is open while the wall clock shows `start` or later and not yet `end`, so a change of summer time needs no rule
// of its own: on the day when the clocks skip the window it does not open, and when they show its time twice it is open
// twice. One that passes midnight belongs to the day on which it starts. With `end` equal to `start` it is a whole day.

import { type Shape, array, described, object, oneOf, optional, parsed, type ShapeOf, string } from './shape.ts'

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
export type Weekday = (typeof WEEKDAYS)[number]

const MINUTE_MS = 60_000
const DAY_MINUTES = 24 * 60
/** Changes of a zone's offset that are looked behind for the next opening: more than a week can hold. */
const OFFSET_CHANGES_MAX = 8

const timeOfDay: Shape<string> = parsed(
  (text) => (minuteOfDay(text) === undefined ? undefined : text),
  'a time of day such as 02:00 or 23:30',
  5,
)
export const timezoneShape: Shape<string> = parsed(
  (text) => (isTimezone(text) ? text : undefined),
  'a time zone such as UTC or Europe/Berlin',
)

const shapeWith = (timezone: Shape<string>) =>
  object({
    start: described('When it opens, such as 02:00', timeOfDay),
    end: described('When it closes; before `start` means on the next day', timeOfDay),
    days: optional(
      described('Days on which it opens; every day by default', array(oneOf(...WEEKDAYS), { min: 1, max: 7 })),
    ),
    timezone: optional(described('Zone of the times, such as Europe/Berlin; that of the machine by default', timezone)),
  })

/** A window as a person writes it. */
export const windowShape = shapeWith(timezoneShape)

/**
 * A window in a signed statement. Its zone may be one that this machine does not know: then it never opens here, which
 * keeps one machine back, where a refused statement would keep back all of them.
 */
export const signedWindowShape = shapeWith(
  string({ pattern: /^[A-Za-z0-9_+/:-]+$/, max: 64, says: 'a time zone such as UTC or Europe/Berlin' }),
)

/** One whose zone is settled. */
export type MaintenanceWindow = ShapeOf<typeof windowShape> & { readonly timezone: string }

/** Windows that all have to be open: each is a list, of which one window is enough. */
export type WindowLists = readonly (readonly MaintenanceWindow[])[]

/** Lists of windows that open at other times may meet only after many openings, or never. */
const MEETINGS_MAX = 100

/**
 * When every list has an open window: `now` if that is so; undefined if it is not so within many openings.
 * @param now milliseconds since 1970
 */
export function nextMeeting(lists: WindowLists, now: number): number | undefined {
  let atMs = now
  for (let tries = 0; tries < MEETINGS_MAX; tries += 1) {
    const closed = lists.find((list) => !isWindowOpen(list, atMs))
    if (closed === undefined) return atMs
    const opensMs = nextOpening(closed, atMs)
    if (opensMs === undefined) return undefined
    atMs = opensMs
  }
  return undefined
}

/** Whether any of the windows is open. @param now milliseconds since 1970 */
export function isWindowOpen(windows: readonly MaintenanceWindow[], now: number): boolean {
  return windows.some((window) => {
    const wallClock = wallClockOf(window.timezone)
    return wallClock !== undefined && isOpenAt(window, wallClock(now))
  })
}

/**
 * When the first of the windows opens: `now` if one is open; undefined if none ever does.
 * @param now milliseconds since 1970
 */
export function nextOpening(windows: readonly MaintenanceWindow[], now: number): number | undefined {
  const openings = windows.map((window) => openingOf(window, now)).filter((opening) => opening !== undefined)
  return openings.length === 0 ? undefined : Math.min(...openings)
}

/** The IANA name of a zone that this runtime knows, or an offset such as +02:00 where it takes one. */
export function isTimezone(text: string): boolean {
  return wallClockOf(text) !== undefined
}

/** What a wall clock shows, as the UTC time that would show the same: the difference is the zone's offset. */
type WallClock = (timeMs: number) => number

/** Making one costs a hundred times what a look at it does; a statement may name many zones, so few are kept. */
const wallClocks = new Map<string, WallClock>()
const WALL_CLOCKS_MAX = 64

/** @returns undefined for a zone that this runtime does not know */
function wallClockOf(timezone: string): WallClock | undefined {
  const kept = wallClocks.get(timezone)
  if (kept !== undefined) return kept
  const made = makeWallClock(timezone)
  if (made === undefined) return undefined
  if (wallClocks.size >= WALL_CLOCKS_MAX) wallClocks.clear()
  wallClocks.set(timezone, made)
  return made
}

function makeWallClock(timezone: string): WallClock | undefined {
  const format = formatOf(timezone)
  if (format === undefined) return undefined
  return (timeMs) => {
    const shown = new Map(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? 0
    return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'))
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  const shown = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...shown })
  } catch {
    return undefined
  }
}

function openingOf(window: MaintenanceWindow, now: number): number | undefined {
  const wallClock = wallClockOf(window.timezone)
  if (wallClock === undefined) return undefined
  const offsetAt = (timeMs: number): number => wallClock(timeMs) - timeMs
  if (isOpenAt(window, wallClock(now))) return now
  // Offsets are whole minutes, so windows open on whole minutes.
  let fromMs = Math.floor(now / MINUTE_MS) * MINUTE_MS
  for (let changes = 0; changes < OFFSET_CHANGES_MAX; changes += 1) {
    const offset = offsetAt(fromMs)
    const openingMs = fromMs + minutesToStart(window, fromMs + offset) * MINUTE_MS
    if (offsetAt(openingMs) === offset) return openingMs
    fromMs = firstChange(fromMs, openingMs, (timeMs) => offsetAt(timeMs) !== offset)
    // The clocks may have been put forward into the window, or back into it.
    if (isOpenAt(window, wallClock(fromMs))) return fromMs
  }
  return undefined
}

/** The first minute after `fromMs` for which `hasChanged`; it has not at `fromMs` and has at `toMs`. */
function firstChange(fromMs: number, toMs: number, hasChanged: (timeMs: number) => boolean): number {
  let [before, after] = [fromMs, toMs]
  while (after - before > MINUTE_MS) {
    const middle = before + Math.floor((after - before) / 2 / MINUTE_MS) * MINUTE_MS
    if (hasChanged(middle)) after = middle
    else before = middle
  }
  return after
}

function isOpenAt(window: MaintenanceWindow, wallMs: number): boolean {
  const { day, minute } = readWall(wallMs)
  const { start, end } = timesOf(window)
  if (start < end) return start <= minute && minute < end && opensOn(window, day)
  return (minute >= start && opensOn(window, day)) || (minute < end && opensOn(window, day - 1))
}

/** Minutes on a clock that nobody changes. */
function minutesToStart(window: MaintenanceWindow, wallMs: number): number {
  const { day, minute } = readWall(wallMs)
  const { start } = timesOf(window)
  let days = 0
  while (!opensOn(window, day + days) || days * DAY_MINUTES + start <= minute) days += 1
  return days * DAY_MINUTES + start - minute
}

function opensOn({ days }: MaintenanceWindow, day: number): boolean {
  const name = WEEKDAYS[(day + 7) % 7]
  return name !== undefined && (days === undefined || days.includes(name))
}

function timesOf({ start, end }: MaintenanceWindow): { start: number; end: number } {
  return { start: minuteOfDay(start) ?? 0, end: minuteOfDay(end) ?? 0 }
}

function readWall(wallMs: number): { day: number; minute: number } {
  const wall = new Date(wallMs)
  return { day: wall.getUTCDay(), minute: wall.getUTCHours() * 60 + wall.getUTCMinutes() }
}

function minuteOfDay(text: string): number | undefined {
  const match = /^([01][0-9]|2[0-3]):([0-5][0-9])$/.exec(text)
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2])
}
