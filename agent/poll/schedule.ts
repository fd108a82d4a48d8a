// When an agent polls. A fleet that boots together, or comes back from an outage together, must not poll together.

export const POLL_INTERVAL_MS = 5 * 60 * 1000
export const POLL_INTERVAL_MIN_MS = 1000
/** Share of the interval by which each poll may come earlier or later. */
const JITTER = 0.1
/** After failures the delay grows up to this many intervals. */
const BACKOFF_MAX_INTERVALS = 12

/** What a timer of Node can hold; it takes anything longer for 1 ms, and an agent would poll without a pause. */
const DELAY_MAX_MS = 2 ** 31 - 1

/** The first poll after a start: anywhere within one interval. @param random in [0, 1) */
export function firstPollDelayMs(intervalMs: number, random: number): number {
  return bounded(intervalMs * random)
}

/**
 * The delay until the next poll.
 *
 * @param failures polls that failed in a row
 * @param retryAfterMs what the host asked for, as a lower bound
 * @param random in [0, 1)
 */
export function nextPollDelayMs(intervalMs: number, failures: number, retryAfterMs: number, random: number): number {
  if (failures === 0) return bounded(intervalMs * (1 - JITTER + 2 * JITTER * random))
  const ceiling = intervalMs * Math.min(2 ** failures, BACKOFF_MAX_INTERVALS)
  // From one interval up to the ceiling: never quicker than an ordinary poll, and spread over all of the time.
  return bounded(Math.max(intervalMs + (ceiling - intervalMs) * random, retryAfterMs * (1 + JITTER * random)))
}

function bounded(delayMs: number): number {
  return Math.min(Math.round(delayMs), DELAY_MAX_MS)
}
