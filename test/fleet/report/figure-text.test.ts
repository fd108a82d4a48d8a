import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  countOf,
  isoText,
  limitText,
  minuteText,
  percentText,
  shortCountText,
  spanText,
  tickText,
} from '../../../fleet/report/figure-text.ts'

const HOUR_MS = 3_600_000
const NOON_MS = Date.UTC(2026, 10, 21, 12)

test('a share is 0 % or 100 % only when it is that', () => {
  const shares = [0, 1e-9, 0.0009, 0.001, 0.05, 0.29, 0.9999999, 1, undefined, Number.NaN]
  const texts = ['0 %', '< 0.1 %', '< 0.1 %', '0.1 %', '5.0 %', '29.0 %', '99.9 %', '100 %', '–', '–']
  assert.deepEqual(shares.map(percentText), texts)
  assert.deepEqual([0.05, 0.005, 1].map(limitText), ['5 %', '0.5 %', '100 %'])
})

test('a span has its two largest units, and hours for as long as people count in them', () => {
  const spans = [0, 400, 45_000, 12 * 60_000, 48 * HOUR_MS, 71 * HOUR_MS, 76 * HOUR_MS, 72 * HOUR_MS, Number.NaN]
  assert.deepEqual(spans.map(spanText), ['0 s', '0 s', '45 s', '12 min', '48 h', '71 h', '3 d 4 h', '3 d', '–'])
  assert.equal(spanText(25 * HOUR_MS + 61_000), '25 h 1 min')
  // Units that are not neighbours are no measure.
  assert.equal(spanText(25 * HOUR_MS + 5000), '25 h')
})

test('what is no time has no text', () => {
  for (const timeMs of [Number.NaN, Number.POSITIVE_INFINITY, 9e15]) {
    assert.deepEqual([minuteText(timeMs), tickText(timeMs, 1), isoText(timeMs)], ['–', '–', undefined])
  }
  assert.deepEqual([minuteText(NOON_MS), isoText(NOON_MS)], ['2026-11-21 12:00', '2026-11-21T12:00:00Z'])
})

test('a tick says as much as its neighbours need to be told apart', () => {
  assert.equal(tickText(NOON_MS, 5 * HOUR_MS), '12:00')
  assert.equal(tickText(NOON_MS, 48 * HOUR_MS), '21 Nov 12:00')
  assert.equal(tickText(NOON_MS, 240 * HOUR_MS), '21 Nov')
})

test('counts are grouped, and short at an axis', () => {
  assert.deepEqual([countOf(1, 'agent'), countOf(1200, 'agent')], ['1 agent', '1,200 agents'])
  assert.deepEqual([950, 12_000, 1_500_000].map(shortCountText), ['950', '12k', '1.5M'])
})
