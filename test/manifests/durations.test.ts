import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { formatDuration, parseDuration } from '../../manifests/index.ts'

describe('durations', () => {
  test('are sums of amounts with a unit', () => {
    const table = {
      '0s': 0,
      '250ms': 250,
      '30s': 30_000,
      '5m': 300_000,
      '1h30m': 5_400_000,
      '7d': 604_800_000,
      '1m1ms': 60_001,
    }
    for (const [text, timeMs] of Object.entries(table)) assert.equal(parseDuration(text), timeMs, text)
  })

  test('are nothing else', () => {
    for (const text of [
      '',
      '5',
      'm',
      '5 m',
      '-5m',
      '1.5h',
      '5M',
      '5min',
      '5m ',
      '5m\n',
      '1w',
      '1e3s',
      '1234567890s',
      'Infinity',
      '٥m',
    ]) {
      assert.equal(parseDuration(text), undefined, text)
    }
  })

  test('are written in the shortest exact form and read back', () => {
    const table: [number, string][] = [
      [0, '0s'],
      [1, '1ms'],
      [1500, '1s500ms'],
      [90_000, '1m30s'],
      [86_400_000, '1d'],
      [90_061_001, '1d1h1m1s1ms'],
    ]
    for (const [timeMs, text] of table) {
      assert.equal(formatDuration(timeMs), text)
      assert.equal(parseDuration(text), timeMs)
    }
    assert.equal(formatDuration(999.6), '1s')
  })
})
