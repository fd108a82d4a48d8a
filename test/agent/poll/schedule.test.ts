import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { changedPollDelayMs, firstPollDelayMs, nextPollDelayMs } from '../../../agent/poll/schedule.ts'
import { randomFrom } from '../../fuzz/random.ts'

const INTERVAL = 300_000
const SEED = 20261121
const AGENTS = 10_000

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
      now += nextPollDelayMs(INTERVAL, failures, failures > 0 ? outage.retryAfterMs : 0, random)
    }
  }
  return seconds
}

describe(`the schedule (seed ${SEED})`, () => {
  // 148.2 is what chance exceeds once in a thousand runs, with 99 degrees of freedom.
  test('case 53: of 10,000 agents that start at once the first polls are spread evenly, and so are the next', () => {
    const random = randomFrom(SEED)
    const polls: number[] = []
    for (let agent = 0; agent < AGENTS; agent += 1) {
      for (let now = firstPollDelayMs(INTERVAL, random()); now < 3 * INTERVAL;) {
        polls.push(now)
        now += nextPollDelayMs(INTERVAL, 0, 0, random)
      }
    }
    const during = (interval: number): number[] =>
      polls.map((at) => at - interval * INTERVAL).filter((at) => at >= 0 && at < INTERVAL)
    for (const interval of [0, 1, 2]) {
      const uneven = chiSquare(during(interval), 0, INTERVAL, 100)
      assert.ok(uneven < 148.2, `interval ${interval}: ${uneven}`)
    }
    // The check can fail: a fleet that uses half of the interval is found out, and so is one whose first polls are spread
    // over just one interval, as its second ones begin before that is over.
    assert.ok(
      chiSquare(
        during(0).map((at) => at / 2),
        0,
        INTERVAL,
        100,
      ) > 148.2,
    )
    const naive = Array.from({ length: 10 * AGENTS }, () => random() * INTERVAL)
    const seconds = naive.map((at) => at + nextPollDelayMs(INTERVAL, 0, 0, random))
    const overlapping = [...naive, ...seconds].filter((at) => at < INTERVAL)
    assert.ok(chiSquare(overlapping, 0, INTERVAL, 100) > 300, 'the overlap is not seen')
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

  test('puts the first poll anywhere within the interval, and at the most a tenth beyond it', () => {
    const at = (random: number): number => firstPollDelayMs(INTERVAL, random)
    assert.deepEqual([0, 0.25, 0.5, 0.9, 1].map(at), [0, 75_000, 150_000, 270_000, 330_000])
    for (let step = 1; step <= 1000; step += 1) assert.ok(at(step / 1000) > at((step - 1) / 1000))
  })

  test('keeps polls within a tenth of the interval', () => {
    const delays = [0, 0.5, 1].map((random) => nextPollDelayMs(INTERVAL, 0, 0, () => random))
    assert.deepEqual(delays, [270_000, 300_000, 330_000])
  })

  test('leaves out more of its own polls after each failure, up to a bound, and never polls quicker than before', () => {
    const extreme = (failures: number, choice: number): number => {
      const draws = [choice]
      return nextPollDelayMs(INTERVAL, failures, 0, () => draws.pop() ?? 0.5) / INTERVAL
    }
    const failures = [1, 2, 3, 4, 10, 100, 5000]
    assert.deepEqual(
      failures.map((count) => extreme(count, 0.999)),
      [2, 4, 8, 12, 12, 12, 12],
    )
    assert.deepEqual(new Set(failures.map((count) => extreme(count, 0))), new Set([1]))
  })

  test('waits at least as long as the host asks, and then for the next one of its own polls', () => {
    const random = randomFrom(SEED)
    const delays = Array.from({ length: AGENTS }, () => nextPollDelayMs(INTERVAL, 1, 3_600_000, random))
    assert.ok(delays.every((delay) => delay >= 3_600_000 && delay < 3_600_000 + 1.1 * INTERVAL))
    assert.ok(new Set(delays).size > AGENTS / 100)
    assert.equal(
      nextPollDelayMs(INTERVAL, 1, 1000, () => 0.4),
      294_000,
    )
  })

  for (const [fromMs, toMs] of [
    [60_000, INTERVAL],
    [INTERVAL, 60_000],
    [INTERVAL, 2 * INTERVAL],
    [INTERVAL, 1.2 * INTERVAL],
  ] as const) {
    test(`goes from an interval of ${fromMs / 1000} s to ${toMs / 1000} s and is never quicker than the quicker one`, () => {
      const random = randomFrom(SEED)
      const [partMs, endMs] = [fromMs / 10, 3 * fromMs + 4 * toMs]
      const parts = Array.from({ length: Math.ceil(endMs / partMs) }, () => 0)
      for (let agent = 0; agent < 10 * AGENTS; agent += 1) {
        // It has polled for long; the manifest with the other interval is there from 0 on.
        for (let now = firstPollDelayMs(fromMs, random()), polls = 0; now < endMs; polls += 1) {
          const part = Math.floor(now / partMs)
          parts[part] = (parts[part] ?? 0) + 1
          now += polls === 0 ? changedPollDelayMs(fromMs, toMs, random) : nextPollDelayMs(toMs, 0, 0, random)
        }
      }
      const meanAt = (intervalMs: number): number => (10 * AGENTS * partMs) / intervalMs
      const highest = Math.max(...parts)
      // 5 standard deviations: about once in a million parts by chance.
      const mean = meanAt(Math.min(fromMs, toMs))
      assert.ok(highest < mean + 5 * Math.sqrt(mean), `${highest} polls in a part, mean ${mean}`)
      const settled = parts.slice(Math.ceil((fromMs + 1.1 * (Math.min(fromMs, toMs) + fromMs)) / partMs), -1)
      const off = settled.filter((polls) => Math.abs(polls - meanAt(toMs)) > 5 * Math.sqrt(meanAt(toMs)))
      assert.deepEqual([settled.length > 10, off], [true, []])
    })
  }

  test('never gives a delay that a timer would take for 1 ms', () => {
    const month = 30 * 86_400_000
    for (const delay of [
      firstPollDelayMs(month, 0.999),
      nextPollDelayMs(month, 0, 0, () => 1),
      nextPollDelayMs(3 * 86_400_000, 9, 0, () => 1),
      changedPollDelayMs(month, month, () => 1),
    ]) {
      assert.ok(delay > 86_400_000 && delay < 2 ** 31, `${delay}`)
    }
  })
})
