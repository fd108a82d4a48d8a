// What names of log files say about time, so that a month of logs need not be fetched to read its last day.

const HOUR_MS = 3_600_000
/** CloudFront names a file by the hour of its requests; some stand in the file of the hour beside it. */
const CLOUDFRONT_MARGIN_MS = HOUR_MS
/** S3 names a file by the moment of its delivery: mostly within hours of the requests, some later. */
const S3_DELAY_MS = 48 * HOUR_MS

/** `<id>.YYYY-MM-DD-HH.<hash>`, in any folder. */
const CLOUDFRONT_NAME = /^(.*?[^/]\.)(\d{4})-(\d\d)-(\d\d)-(\d\d)\.[^/]*$/s
/** `YYYY-MM-DD-HH-MM-SS-<hash>`, in any folder and behind any prefix. */
const S3_NAME = /^(.*?)(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-[^/]*$/s

export interface NamedTime {
  /** What stands before the time: names with the same stem sort by time. */
  readonly stem: string
  /** Requests in the file are from between the two. */
  readonly fromMs: number
  readonly toMs: number
}

/** Undefined for a name that says nothing; such a file is read. */
export function timeOfName(name: string): NamedTime | undefined {
  const hourly = CLOUDFRONT_NAME.exec(name)
  if (hourly !== null) {
    const [, stem = '', ...parts] = hourly
    const startMs = utc(parts)
    return { stem, fromMs: startMs - CLOUDFRONT_MARGIN_MS, toMs: startMs + HOUR_MS + CLOUDFRONT_MARGIN_MS }
  }
  const delivered = S3_NAME.exec(name)
  if (delivered === null) return undefined
  const [, stem = '', ...parts] = delivered
  return { stem, fromMs: utc(parts) - S3_DELAY_MS, toMs: utc(parts) + HOUR_MS }
}

export function isInTime(name: string, sinceMs: number | undefined, untilMs: number | undefined): boolean {
  const time = timeOfName(name)
  if (time === undefined) return true
  return !(sinceMs !== undefined && time.toMs < sinceMs) && !(untilMs !== undefined && time.fromMs >= untilMs)
}

/**
 * Where a listing in the order of names may go on after `last`: what lies between is of the wrong time. Undefined when
 * it has to go on right there.
 */
export function nextName(last: string, sinceMs: number | undefined, untilMs: number | undefined): string | undefined {
  const time = timeOfName(last)
  if (time === undefined) return undefined
  if (sinceMs !== undefined && time.toMs < sinceMs) {
    // A day earlier than need be: names are compared as text, and this is a date without an hour.
    return `${time.stem}${new Date(sinceMs - 24 * HOUR_MS).toISOString().slice(0, 10)}`
  }
  // Behind all dates of this stem.
  if (untilMs !== undefined && time.fromMs >= untilMs) return `${time.stem}~`
  return undefined
}

function utc([year, month, day, hour = '0', minute = '0', second = '0']: readonly string[]): number {
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
}
