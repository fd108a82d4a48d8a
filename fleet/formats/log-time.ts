// The times of logs, read from their bytes. `Date.parse` would need a string for each line.

const DAY_MS = 86_400_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAYS_OF_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

let knownDay = -1
let knownDayMs = Number.NaN

/** Milliseconds of `YYYY-MM-DD`; NaN for what is no such date. */
export function readDay(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== 10 || bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return Number.NaN
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2)
  return dayMs(year, twoDigits(bytes, start + 5), twoDigits(bytes, start + 8))
}

/** Milliseconds into the day of `HH:MM:SS`; NaN for what is no such time. */
export function readTimeOfDay(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== 8 || bytes[start + 2] !== 0x3a || bytes[start + 5] !== 0x3a) return Number.NaN
  const hours = twoDigits(bytes, start)
  const minutes = twoDigits(bytes, start + 3)
  const seconds = twoDigits(bytes, start + 6)
  // 60 is a leap second.
  return hours < 24 && minutes < 60 && seconds <= 60 ? ((hours * 60 + minutes) * 60 + seconds) * 1000 : Number.NaN
}

/** Length of `dd/Mon/YYYY:HH:MM:SS +hhmm`. */
export const CLF_TIME_CHARS = 26

/** Milliseconds of a time in the Common Log Format that starts here; NaN for what is none. */
export function readClfTime(bytes: Uint8Array, start: number): number {
  if (bytes[start + 2] !== 0x2f || bytes[start + 6] !== 0x2f || bytes[start + 11] !== 0x3a) return Number.NaN
  if (bytes[start + 20] !== 0x20) return Number.NaN
  const name = String.fromCharCode(bytes[start + 3] ?? 0, bytes[start + 4] ?? 0, bytes[start + 5] ?? 0)
  const year = twoDigits(bytes, start + 7) * 100 + twoDigits(bytes, start + 9)
  const day = dayMs(year, MONTHS.indexOf(name) + 1, twoDigits(bytes, start))
  const sign = bytes[start + 21] === 0x2b ? 1 : bytes[start + 21] === 0x2d ? -1 : Number.NaN
  const offset = sign * (twoDigits(bytes, start + 22) * 60 + twoDigits(bytes, start + 24)) * 60_000
  return day + readTimeOfDay(bytes, start + 12, start + 20) - offset
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] ?? 0) - 0x30
  const ones = (bytes[at + 1] ?? 0) - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

function dayMs(year: number, month: number, day: number): number {
  const key = (year * 100 + month) * 100 + day
  if (key === knownDay) return knownDayMs
  if (!(year >= 1970 && year < 2100 && day >= 1 && day <= (DAYS_OF_MONTH[month - 1] ?? 0))) return Number.NaN
  const ms = Date.UTC(year, month - 1, day)
  // The 29th of February of a common year is the 1st of March.
  if (Math.floor(ms / DAY_MS) * DAY_MS !== ms || new Date(ms).getUTCDate() !== day) return Number.NaN
  knownDay = key
  knownDayMs = ms
  return ms
}
