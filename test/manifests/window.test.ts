import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { parseDate } from '../../manifests/index.ts'
import {
  isTimezone,
  isWindowOpen,
  type MaintenanceWindow,
  nextOpening,
  WEEKDAYS,
  windowShape,
} from '../../manifests/window.ts'
import { Random, testSeed } from '../fuzz/random.ts'

const AT = (text: string): number => parseDate(text) as number
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

function windowOf(text: string, timezone = 'UTC', days?: MaintenanceWindow['days']): MaintenanceWindow {
  const [start = '', end = ''] = text.split('-')
  return { start, end, timezone, ...(days === undefined ? {} : { days }) }
}

const texts = new Map<string, Intl.DateTimeFormat>()

/** Another way to the same answer: the text that the zone's clock would show. */
function isOpenByText({ start, end, timezone, days = [...WEEKDAYS] }: MaintenanceWindow, now: number): boolean {
  const format =
    texts.get(timezone) ??
    new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'short' })
  texts.set(timezone, format)
  const [date = '', clock = ''] = format.format(now).split(' ')
  const isDay = (laterMs: number): boolean => {
    const name = new Date(Date.parse(`${date}T00:00:00Z`) + laterMs).toUTCString().slice(0, 3).toLowerCase()
    return days.some((day) => day === name)
  }
  if (start < end) return isDay(0) && start <= clock && clock < end
  return (isDay(0) && clock >= start) || (isDay(-DAY_MS) && clock < end)
}

describe('a maintenance window', () => {
  test('is open from its start to just before its end', () => {
    const window = windowOf('02:00-04:00')
    const open = ['2026-11-21T02:00:00Z', '2026-11-21T03:59:59Z'].map((at) => isWindowOpen([window], AT(at)))
    const closed = ['2026-11-21T01:59:59Z', '2026-11-21T04:00:00Z'].map((at) => isWindowOpen([window], AT(at)))
    assert.deepEqual(
      [open, closed],
      [
        [true, true],
        [false, false],
      ],
    )
  })

  test('that passes midnight belongs to the day on which it starts', () => {
    // 2026-11-21 is a Saturday.
    const window = windowOf('22:00-02:00', 'UTC', ['sat'])
    for (const [at, isOpen] of [
      ['2026-11-21T01:00:00Z', false],
      ['2026-11-21T22:00:00Z', true],
      ['2026-11-22T01:59:00Z', true],
      ['2026-11-22T02:00:00Z', false],
      ['2026-11-22T22:00:00Z', false],
    ] as const)
      assert.equal(isWindowOpen([window], AT(at)), isOpen, at)
    assert.equal(nextOpening([window], AT('2026-11-22T02:00:00Z')), AT('2026-11-28T22:00:00Z'))
  })

  test('with its end at its start is a whole day', () => {
    assert.ok(isWindowOpen([windowOf('00:00-00:00')], AT('2026-11-21T12:34:56Z')))
    const saturday = windowOf('06:00-06:00', 'UTC', ['sat'])
    assert.ok(isWindowOpen([saturday], AT('2026-11-22T05:59:59Z')))
    assert.ok(!isWindowOpen([saturday], AT('2026-11-22T06:00:00Z')))
  })

  test('is read in its own zone', () => {
    const now = AT('2026-11-21T18:30:00Z')
    assert.deepEqual(
      ['UTC', 'Asia/Tokyo', 'America/Los_Angeles', 'Asia/Kathmandu'].map((zone) =>
        isWindowOpen([windowOf('03:00-04:00', zone)], now),
      ),
      [false, true, false, false],
    )
    assert.equal(nextOpening([windowOf('00:15-01:00', 'Asia/Kathmandu')], now), now)
  })

  test('does not open on the day when summer time skips it, and opens late when it skips its start', () => {
    // On 2026-03-29 the clocks of Berlin go from 02:00 to 03:00, at 01:00 UTC.
    const before = AT('2026-03-28T12:00:00Z')
    assert.equal(nextOpening([windowOf('02:00-03:00', 'Europe/Berlin')], before), AT('2026-03-30T00:00:00Z'))
    assert.equal(nextOpening([windowOf('02:30-04:00', 'Europe/Berlin')], before), AT('2026-03-29T01:00:00Z'))
    const weekly = windowOf('02:00-02:30', 'Europe/Berlin', ['sun'])
    assert.equal(nextOpening([weekly], before), AT('2026-04-05T00:00:00Z'))
  })

  test('opens twice when the end of summer time repeats it', () => {
    // On 2026-10-25 the clocks of Berlin go from 03:00 to 02:00, at 01:00 UTC.
    const window = windowOf('02:15-02:30', 'Europe/Berlin')
    assert.equal(nextOpening([window], AT('2026-10-24T12:00:00Z')), AT('2026-10-25T00:15:00Z'))
    assert.equal(nextOpening([window], AT('2026-10-25T00:30:00Z')), AT('2026-10-25T01:15:00Z'))
    assert.equal(nextOpening([window], AT('2026-10-25T01:30:00Z')), AT('2026-10-26T01:15:00Z'))
    // Open at 02:00 to 02:10, an hour and ten minutes before it is 02:00 once more.
    const early = windowOf('01:50-02:10', 'Europe/Berlin')
    assert.equal(nextOpening([early], AT('2026-10-25T00:30:00Z')), AT('2026-10-25T01:00:00Z'))
  })

  test('does not open on a day that a zone leaves out', () => {
    // Samoa went from the end of Thursday 2011-12-29 to Saturday.
    const friday = windowOf('10:00-11:00', 'Pacific/Apia', ['fri'])
    assert.equal(nextOpening([friday], AT('2011-12-29T12:00:00Z')), AT('2012-01-05T20:00:00Z'))
  })

  test('of several the first counts, and none is never open', () => {
    const list = [windowOf('12:00-13:00', 'UTC', ['mon']), windowOf('09:00-10:00', 'UTC', ['wed'])]
    assert.equal(nextOpening(list, AT('2026-11-21T02:00:00Z')), AT('2026-11-23T12:00:00Z'))
    assert.equal(nextOpening(list, AT('2026-11-24T02:00:00Z')), AT('2026-11-25T09:00:00Z'))
    assert.ok(isWindowOpen(list, AT('2026-11-25T09:30:00Z')))
    assert.equal(isWindowOpen([], AT('2026-11-25T09:30:00Z')), false)
    assert.equal(nextOpening([], AT('2026-11-25T09:30:00Z')), undefined)
  })

  test('opens when stepping minute by minute says so, in any zone and around both changes of summer time', (t) => {
    const seed = testSeed()
    t.diagnostic(`MOULT_TEST_SEED=${seed}`)
    const random = new Random(seed)
    const two = (value: number): string => String(value).padStart(2, '0')
    const clock = (): string =>
      `${two(random.pick([0, 1, 2, 3, 23, random.below(24)]))}:${two(random.pick([0, 1, 59, 30, random.below(60)]))}`
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
      'Africa/Casablanca',
    ]
    const moments = ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2026-03-08T07:00:00Z', '2026-11-01T06:00:00Z']
    const southern = ['2026-04-04T15:00:00Z', '2026-10-03T15:30:00Z', '2026-02-15T02:00:00Z', '2026-07-04T00:00:00Z']
    for (let round = 0; round < 100; round += 1) {
      const days = random.once(2) ? undefined : WEEKDAYS.filter(() => !random.once(3))
      const window = windowOf(`${clock()}-${clock()}`, random.pick(zones), days?.length === 0 ? ['sun'] : days)
      const nowMs = AT(random.pick([...moments, ...southern])) + random.below(2 * DAY_MS) - 1.5 * DAY_MS
      const about = `MOULT_TEST_SEED=${seed} round ${round}: ${JSON.stringify(window)} at ${new Date(nowMs).toISOString()}`
      assert.equal(isWindowOpen([window], nowMs), isOpenByText(window, nowMs), about)
      let found = nowMs
      // Two days are enough to pass a change; beyond that the opening is only checked for being one.
      const limitMs = nowMs + 2 * DAY_MS
      while (!isOpenByText(window, found) && found < limitMs)
        found = Math.floor(found / MINUTE_MS) * MINUTE_MS + MINUTE_MS
      const opening = nextOpening([window], nowMs) ?? assert.fail(about)
      if (found < limitMs) assert.equal(new Date(opening).toISOString(), new Date(found).toISOString(), about)
      else {
        assert.ok(opening >= limitMs, about)
        assert.deepEqual(
          [isOpenByText(window, opening - MINUTE_MS), isOpenByText(window, opening)],
          [false, true],
          about,
        )
      }
    }
  })

  test('is checked where it is read', () => {
    const good = { start: '02:00', end: '23:59', days: ['mon', 'sun'], timezone: 'Europe/Berlin' }
    assert.deepEqual(windowShape.check(good, ''), good)
    assert.deepEqual(windowShape.check({ start: '22:00', end: '02:00' }, ''), { start: '22:00', end: '02:00' })
    for (const bad of [
      { start: '24:00' },
      { start: '2:00' },
      { end: '02:60' },
      { end: '' },
      { days: [] },
      { days: ['monday'] },
      { timezone: 'Mars/Olympus' },
      { timezone: '' },
      { until: '02:00' },
    ])
      assert.throws(() => windowShape.check({ ...good, ...bad }, ''), { name: 'ShapeMismatch' }, JSON.stringify(bad))
    assert.deepEqual(['UTC', 'Europe/Berlin', 'x', 'toString'].map(isTimezone), [true, true, false, false])
  })
})
