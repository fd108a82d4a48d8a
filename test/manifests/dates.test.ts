import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { formatDate, parseDate } from '../../manifests/index.ts'

describe('dates', () => {
  test('are RFC 3339 in UTC, with up to three digits of a second', () => {
    assert.equal(parseDate('1970-01-01T00:00:00Z'), 0)
    assert.equal(parseDate('2026-11-21T02:00:00Z'), Date.UTC(2026, 10, 21, 2))
    assert.equal(parseDate('2026-11-21T02:00:00.5Z'), Date.UTC(2026, 10, 21, 2, 0, 0, 500))
    assert.equal(parseDate('2026-11-21T02:00:00.123Z'), Date.UTC(2026, 10, 21, 2, 0, 0, 123))
    assert.equal(parseDate('9999-12-31T23:59:59Z'), Date.UTC(9999, 11, 31, 23, 59, 59))
    assert.equal(parseDate('0001-01-01T00:00:00Z'), -62_135_596_800_000)
  })

  test('are days and times that exist', () => {
    assert.notEqual(parseDate('2028-02-29T00:00:00Z'), undefined)
    const days = [
      '2026-02-30',
      '2026-02-29',
      '2100-02-29',
      '2026-04-31',
      '2026-00-10',
      '2026-13-01',
      '2026-01-00',
      '2026-01-32',
    ]
    for (const day of days) assert.equal(parseDate(`${day}T00:00:00Z`), undefined, day)
    for (const time of ['24:00:00', '23:60:00', '23:59:60', '25:00:00', '99:99:99']) {
      assert.equal(parseDate(`2026-01-01T${time}Z`), undefined, time)
    }
  })

  test('have one spelling: no other zone, year, letter case or looseness', () => {
    const bad = [
      '',
      'banana',
      '2026-11-21',
      '2026-11-21T02:00:00',
      '2026-11-21T02:00Z',
      '2026-11-21 02:00:00Z',
      '1795226400',
    ]
    const zones = [
      '2026-11-21T02:00:00+00:00',
      '2026-11-21T02:00:00-01:00',
      '2026-11-21t02:00:00z',
      '2026-11-21T02:00:00z',
    ]
    const years = ['10000-01-01T00:00:00Z', '+010000-01-01T00:00:00Z', '-000001-01-01T00:00:00Z', '26-11-21T02:00:00Z']
    const loose = [
      '2026-11-21T02:00:00.Z',
      '2026-11-21T02:00:00.1234Z',
      '2026-11-21T02:00:00,5Z',
      ' 2026-11-21T02:00:00Z',
      '2026-11-21T02:00:00Z\n',
    ]
    for (const text of [...bad, ...zones, ...years, ...loose, '٢٠٢٦-11-21T02:00:00Z'])
      assert.equal(parseDate(text), undefined, text)
  })

  test('are written with whole seconds and read back', () => {
    assert.equal(formatDate(Date.UTC(2026, 10, 21, 2, 0, 0, 999)), '2026-11-21T02:00:00Z')
    assert.equal(parseDate(formatDate(1_800_000_000_000)), 1_800_000_000_000)
  })
})
