// Figures as people read them, the same on a terminal, in a message and in the report.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY_MS = 86_400_000
const DURATION_UNITS = [
  ['d', DAY_MS],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const
/** What a date can hold, in milliseconds. */
const DATE_MAX_MS = 8.64e15

/** Stands where there is no figure. */
export const NO_FIGURE = '–'

export function countText(count: number): string {
  return Number.isFinite(count) ? count.toLocaleString('en-GB') : NO_FIGURE
}

/** `1 agent`, `1,200 agents`. */
export function countOf(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `950`, `12k`, `1.5M`: for the axis of a chart. */
export function shortCountText(count: number): string {
  const [size, unit] = count >= 1e6 ? [1e6, 'M'] : count >= 1000 ? [1000, 'k'] : [1, '']
  return `${Number((count / size).toFixed(1))}${unit}`
}

/** A share that is not all is never shown as 100 %, and one that is not nothing never as 0 %. */
export function percentText(share: number | undefined): string {
  if (share === undefined || !Number.isFinite(share)) return NO_FIGURE
  if (share <= 0) return `0 %`
  if (share < 0.001) return `< 0.1 %`
  if (share >= 1) return `100 %`
  return `${Math.min(99.9, Math.floor(share * 1000 + 1e-9) / 10).toFixed(1)} %`
}

/** A limit as it was given: `5 %`, `0.5 %`. */
export function limitText(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`
}

/** Its two largest units: `3 d 4 h`, `48 h`, `12 min`, `45 s`. */
export function spanText(spanMs: number): string {
  if (!Number.isFinite(spanMs)) return NO_FIGURE
  let rest = Math.max(0, Math.round(spanMs / 1000) * 1000)
  const parts: string[] = []
  for (const [unit, sizeMs] of spanMs < 3 * DAY_MS ? DURATION_UNITS.slice(1) : DURATION_UNITS) {
    const amount = Math.floor(rest / sizeMs)
    if (amount > 0) parts.push(`${amount} ${unit}`)
    else if (parts.length > 0) break
    rest -= amount * sizeMs
    if (parts.length === 2) break
  }
  return parts.length === 0 ? `0 s` : parts.join(' ')
}

/** `2026-11-21 14:05`, UTC. */
export function minuteText(timeMs: number): string {
  return isTime(timeMs) ? new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ') : NO_FIGURE
}

/** `21 Nov`; with the time where all lies within some days, and without the day where it lies within one. */
export function tickText(timeMs: number, rangeMs: number): string {
  if (!isTime(timeMs)) return NO_FIGURE
  const date = new Date(timeMs)
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`
  const time = date.toISOString().slice(11, 16)
  return rangeMs < DAY_MS ? time : rangeMs < 5 * DAY_MS ? `${day} ${time}` : day
}

/** For machines, as in `<time datetime>`; undefined for what is no time. */
export function isoText(timeMs: number): string | undefined {
  return isTime(timeMs) ? `${new Date(timeMs).toISOString().slice(0, 19)}Z` : undefined
}

function isTime(timeMs: number): boolean {
  return Math.abs(timeMs) <= DATE_MAX_MS
}
