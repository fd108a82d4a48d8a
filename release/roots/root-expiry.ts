import { formatDate, MoultError, parseDate, parseDuration } from '../../manifests/index.ts'

export const DEFAULT_ROOT_LIFETIME = '5y'
const YEAR_MS = 365 * 24 * 60 * 60 * 1000

/** The date that `5y`, `400d`, `2031-11-21` or a whole date means. @throws MoultError ERR_USAGE_INVALID */
export function parseExpiry(text: string, now: number): string {
  const years = /^(\d{1,2})y$/.exec(text)?.[1]
  const lifetimeMs = years === undefined ? parseDuration(text) : Number(years) * YEAR_MS
  const time =
    lifetimeMs === undefined ? parseDate(/^[\d-]{10}$/.test(text) ? `${text}T00:00:00Z` : text) : now + lifetimeMs
  if (time !== undefined && time > now) return formatDate(time)
  throw new MoultError(
    'ERR_USAGE_INVALID',
    `--expires: expected a later date such as 5y, 400d or 2031-11-21, got ${text.slice(0, 40)}`,
  )
}
