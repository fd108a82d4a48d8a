import type { CheckResult } from '../report/last-check.ts'
import { retryAfterOf } from './poll.ts'
import { changedPollDelayMs, firstPollDelayMs, nextPollDelayMs } from './schedule.ts'

/** On probation polls come quicker until one succeeds: without it the new version cannot be confirmed. */
const TRIAL_INTERVAL_MS = 10_000
const TRIAL_POLL_MIN_MS = 1000

/** How long a running updater waits before each poll, in milliseconds. */
export class PollDelays {
  readonly #terms: { readonly intervalMs: number }
  readonly #random: () => number
  #intervalMs: number
  #failures = 0

  /** @param terms whose interval may change with a poll */
  constructor(terms: { readonly intervalMs: number }, random: () => number = Math.random) {
    this.#terms = terms
    this.#random = random
    this.#intervalMs = terms.intervalMs
  }

  /** @param givenMs by the caller, in place of a random part of the interval */
  first(givenMs: number | undefined, isOnTrial: boolean): number {
    const delayMs = givenMs ?? firstPollDelayMs(this.#intervalMs, this.#random())
    return isOnTrial ? Math.min(delayMs, this.#trialDelayMs()) : delayMs
  }

  /** @param isUrgent whether the version is on trial, and no poll of it has verified a manifest */
  after(result: CheckResult, isUrgent: boolean): number {
    this.#failures = result.kind === 'failed' ? this.#failures + 1 : 0
    const [fromMs, toMs] = [this.#intervalMs, this.#terms.intervalMs]
    this.#intervalMs = toMs
    // Whatever the host asks for: without one good poll before the deadline the version is rolled back.
    if (isUrgent) return Math.max(Math.min(toMs, TRIAL_POLL_MIN_MS), this.#trialDelayMs())
    if (fromMs !== toMs) return changedPollDelayMs(fromMs, toMs, this.#random)
    const askedMs = result.kind === 'failed' ? retryAfterOf(result.error) : 0
    return nextPollDelayMs(toMs, this.#failures, askedMs, this.#random)
  }

  #trialDelayMs(): number {
    return Math.min(this.#intervalMs, TRIAL_INTERVAL_MS * this.#random())
  }
}
