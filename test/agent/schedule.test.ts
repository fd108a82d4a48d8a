import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { firstPollDelayMs, nextPollDelayMs } from '../../agent/schedule.ts'
import { randomFrom } from './field.ts'

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

describe(`the schedule (seed ${SEED})`, () => {
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
