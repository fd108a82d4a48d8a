// When an agent polls. A fleet that boots together, or comes back from an outage together, must not poll together.
//
// Two rules keep the rate of a fleet at agents / interval, whatever happens to it (docs/simulation.md has the curves):
// - whoever begins draws its first delay from what is left of an interval that had begun long ago, so a fleet that
//   starts in one second is at once what it would have come to in hours;
// - whoever backs off leaves out polls of its own and keeps its phase, so failures only ever take polls away.

export const POLL_INTERVAL_MS = 5 * 60 * 1000
export const POLL_INTERVAL_MIN_MS = 1000
/** Share of the interval by which each poll may come earlier or later. */
const JITTER = 0.1
/** After failures an agent polls at one of up to this many of its times. */
const BACKOFF_MAX_POLLS = 12

/** What a timer of Node can hold; it takes anything longer for 1 ms, and an agent would poll without a pause. */
const DELAY_MAX_MS = 2 ** 31 - 1

/**
 * The first poll after a start: anywhere within one interval, and up to a tenth beyond it. The end is thinned out by as
 * much as the second polls, which come a tenth early or late, begin to overlap it: spread evenly over one interval, the
 * two would add up to half as many again as the mean.
 *
 * @param random in [0, 1)
 */
export function firstPollDelayMs(intervalMs: number, random: number): number {
  // How long it is to the next poll, seen at any moment, of one that polls after 0.9 to 1.1 intervals for ever.
  const isEven = random < 1 - JITTER
  return bounded(intervalMs * (isEven ? random : 1 + JITTER - Math.sqrt(4 * JITTER * (1 - random))))
}

/**
 * The delay until the next poll.
 *
 * @param failures polls that failed in a row
 * @param retryAfterMs what the host asked for, as a lower bound
 * @param random gives numbers in [0, 1)
 */
export function nextPollDelayMs(
  intervalMs: number,
  failures: number,
  retryAfterMs: number,
  random: () => number,
): number {
  let polls = failures === 0 ? 1 : 1 + Math.floor(random() * Math.min(2 ** failures, BACKOFF_MAX_POLLS))
  let delayMs = 0
  for (; polls > 0 || delayMs < retryAfterMs; polls -= 1) delayMs += jittered(intervalMs, random())
  return bounded(delayMs)
}

/**
 * The delay after a poll that brought another interval. Those who learn of it within a minute would else poll within one
 * minute of every five from then on. The wait before it leaves the time for those who have not learnt of it: whether the
 * fleet becomes quicker or slower, its rate is never above the higher one of the two.
 */
export function changedPollDelayMs(fromMs: number, toMs: number, random: () => number): number {
  return bounded(jittered(Math.min(fromMs, toMs), random()) + firstPollDelayMs(toMs, random()))
}

function jittered(intervalMs: number, random: number): number {
  return intervalMs * (1 - JITTER + 2 * JITTER * random)
}

function bounded(delayMs: number): number {
  return Math.min(Math.round(delayMs), DELAY_MAX_MS)
}
