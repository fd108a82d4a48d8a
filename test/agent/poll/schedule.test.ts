import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { firstPollDelayMs, nextPollDelayMs } from '../../../agent/poll/schedule.ts'
import { randomFrom } from '../field.ts'

const INTERVAL = 300_000
const SEED = 20261121
const AGENTS = 10_000

/** Agents in the fullest of `count` equal parts of the span. */
function fullest(delays: readonly number[], from: number, to: number, count: number): number {
  const parts = Array.from({ length: count }, () => 0)
  for (const delay of delays) {
    const part = Math.min(count - 1, Math.floor(((delay - from) / (to - from)) * count))
    parts[part] = (parts[part] ?? 0) + 1
  }
  return Math.max(...parts)
}

/** How unevenly they fall into `count` equal parts: chi-square, with `count - 1` degrees of freedom. */
function chiSquare(delays: readonly number[], from: number, to: number, count: number): number {
  const parts = Array.from({ length: count }, () => 0)
  for (const delay of delays) {
    const part = Math.min(count - 1, Math.floor(((delay - from) / (to - from)) * count))
    parts[part] = (parts[part] ?? 0) + 1
  }
  const mean = delays.length / count
  return parts.reduce((sum, found) => sum + (found - mean) ** 2 / mean, 0)
}

/**
 * A fleet in virtual time: all start at 0 and poll until `endMs`; in the outage each poll fails.
 * @returns requests of each second
 */
function simulate(endMs: number, outage: { fromMs: number; toMs: number; retryAfterMs: number }): number[] {
  const random = randomFrom(SEED)
  const seconds = Array.from({ length: Math.ceil(endMs / 1000) }, () => 0)
  for (let agent = 0; agent < AGENTS; agent += 1) {
    let failures = 0
    for (let now = firstPollDelayMs(INTERVAL, random()); now < endMs;) {
      const second = Math.floor(now / 1000)
      seconds[second] = (seconds[second] ?? 0) + 1
      failures = now >= outage.fromMs && now < outage.toMs ? failures + 1 : 0
      now += nextPollDelayMs(INTERVAL, failures, failures > 0 ? outage.retryAfterMs : 0, random())
    }
  }
  return seconds
}

describe(`the schedule (seed ${SEED})`, () => {
  // 148.2 is what chance exceeds once in a thousand runs, with 99 degrees of freedom.
  test('case 53: of 10,000 agents that start at once the first polls are spread evenly, and so are the next', () => {
    const random = randomFrom(SEED)
    const first = Array.from({ length: AGENTS }, () => firstPollDelayMs(INTERVAL, random()))
    assert.ok(chiSquare(first, 0, INTERVAL, 100) < 148.2, `${chiSquare(first, 0, INTERVAL, 100)}`)
    // The check can fail: a fleet without jitter, or one that uses half of the interval, is found out.
    assert.ok(
      chiSquare(
        first.map(() => 1000),
        0,
        INTERVAL,
        100,
      ) > 148.2,
    )
    assert.ok(
      chiSquare(
        first.map((delay) => delay / 2),
        0,
        INTERVAL,
        100,
      ) > 148.2,
    )
    const failed = Array.from({ length: AGENTS }, () => nextPollDelayMs(INTERVAL, 9, 0, random()))
    assert.ok(
      chiSquare(failed, INTERVAL, 12 * INTERVAL, 100) < 148.2,
      `${chiSquare(failed, INTERVAL, 12 * INTERVAL, 100)}`,
    )
  })

  for (const retryAfterMs of [0, 60_000, 600_000, 3_600_000]) {
    test(`case 53: no second sees a spike, neither in an outage of an hour with Retry-After ${retryAfterMs / 1000} nor after it`, () => {
      const [fromMs, toMs, endMs] = [10 * INTERVAL, 22 * INTERVAL, 60 * INTERVAL]
      const seconds = simulate(endMs, { fromMs, toMs, retryAfterMs })
      const mean = AGENTS / (INTERVAL / 1000)
      const peak = Math.max(...seconds)
      assert.ok(peak < 2 * mean, `peak ${peak}, mean ${mean}`)
      // The outage is felt, and everybody comes back: an hour and a bit after it the fleet polls as before.
      const during = seconds.slice(toMs / 1000 - 300, toMs / 1000).reduce((sum, count) => sum + count, 0)
      assert.ok(during < AGENTS / 2, `${during} requests in the last interval of the outage`)
      const after = seconds.slice(-300).reduce((sum, count) => sum + count, 0)
      assert.ok(after > 0.95 * AGENTS && after < 1.05 * AGENTS, `${after}`)
    })
  }

  test('spreads the first polls of a fleet that starts at once over the whole interval', () => {
    const random = randomFrom(SEED)
    const delays = Array.from({ length: AGENTS }, () => firstPollDelayMs(INTERVAL, random()))
    assert.ok(delays.every((delay) => delay >= 0 && delay <= INTERVAL))
    assert.ok(fullest(delays, 0, INTERVAL, 100) < 1.6 * (AGENTS / 100))
  })

  test('keeps polls within a tenth of the interval', () => {
    assert.equal(nextPollDelayMs(INTERVAL, 0, 0, 0), 270_000)
    assert.equal(nextPollDelayMs(INTERVAL, 0, 0, 0.5), 300_000)
    assert.equal(nextPollDelayMs(INTERVAL, 0, 0, 1), 330_000)
  })

  test('waits longer after each failure, up to a bound, and never less than an interval', () => {
    const longest = [1, 2, 3, 4, 10, 100, 5000].map((failures) => nextPollDelayMs(INTERVAL, failures, 0, 1) / INTERVAL)
    assert.deepEqual(longest, [2, 4, 8, 12, 12, 12, 12])
    for (const failures of [1, 5, 1000]) assert.equal(nextPollDelayMs(INTERVAL, failures, 0, 0), INTERVAL)
  })

  test('spreads a fleet out again after an outage', () => {
    const random = randomFrom(SEED)
    const delays = Array.from({ length: AGENTS }, () => nextPollDelayMs(INTERVAL, 4, 0, random()))
    assert.ok(fullest(delays, INTERVAL, 12 * INTERVAL, 100) < 1.6 * (AGENTS / 100))
  })

  test('waits at least as long as the host asks, not all agents equally', () => {
    assert.equal(nextPollDelayMs(INTERVAL, 1, 3_600_000, 0), 3_600_000)
    assert.equal(nextPollDelayMs(INTERVAL, 1, 3_600_000, 1), 3_960_000)
    assert.equal(nextPollDelayMs(INTERVAL, 1, 1000, 0), INTERVAL)
  })

  test('never gives a delay that a timer would take for 1 ms', () => {
    const month = 30 * 86_400_000
    for (const delay of [
      firstPollDelayMs(month, 0.999),
      nextPollDelayMs(month, 0, 0, 1),
      nextPollDelayMs(3 * 86_400_000, 9, 0, 1),
    ]) {
      assert.ok(delay > 86_400_000 && delay < 2 ** 31, `${delay}`)
    }
  })
})
