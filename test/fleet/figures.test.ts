import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Poll } from '../../bench/fleet-logs/traffic.ts'
import type { BeaconEvent } from '../../manifests/beacon.ts'
import { figuresOf, HOUR_MS, idOf, logFolder, pollOf, START_MS, writeLog } from './log-folder.ts'

const DAY_MS = 24 * HOUR_MS

function at(hours: number): number {
  return START_MS + hours * HOUR_MS
}

function updated(n: number, seconds: number, version = '1.4.2'): BeaconEvent {
  return { n, kind: 'updated', version, detail: String(seconds) }
}

test('an agent that is older than the offer for 48 hours is stuck; one that waits, is new or is silent is not', async (t) => {
  const polls: Poll[] = [
    // The offer: the first agent comes to 1.4.2 after ten hours.
    pollOf(at(0), { id: idOf(1) }),
    pollOf(at(10), { id: idOf(1), version: '1.4.2' }),
    pollOf(at(60), { id: idOf(1), version: '1.4.2' }),
    // Stuck, with what it complains of.
    pollOf(at(1), { id: idOf(2), version: '1.4.0', state: 'failed', error: 'STAGE_SPACE' }),
    pollOf(at(59), { id: idOf(2), version: '1.4.0', state: 'failed', error: 'STAGE_SPACE' }),
    // Waits for its stage.
    pollOf(at(1), { id: idOf(3), state: 'waiting' }),
    pollOf(at(59), { id: idOf(3), state: 'waiting' }),
    // Came a day ago, with an old version.
    pollOf(at(36), { id: idOf(4), version: '1.3.0' }),
    pollOf(at(59), { id: idOf(4), version: '1.3.0' }),
    // Gone.
    pollOf(at(1), { id: idOf(5) }),
    pollOf(at(30), { id: idOf(5) }),
    // On another channel, where nothing newer is offered.
    pollOf(at(1), { id: idOf(6), channel: 'lts', version: '1.3.0' }),
    pollOf(at(59), { id: idOf(6), channel: 'lts', version: '1.3.0' }),
  ]
  const path = writeLog(logFolder(t), 'x.log', 'combined', polls)
  const figures = await figuresOf([path])
  assert.equal(figures.offered, '1.4.2')
  assert.deepEqual(figures.agents, { total: 6, active: 5, silent: 1, stuck: 1 })
  assert.deepEqual(figures.stuck, [
    {
      id: idOf(2),
      version: '1.4.0',
      platform: 'linux-amd64',
      channel: 'stable',
      state: 'failed',
      error: 'STAGE_SPACE',
      lastMs: at(59),
      sinceMs: at(1),
    },
  ])
  assert.deepEqual(
    figures.silent.map(({ id, lastMs }) => [id, lastMs]),
    [[idOf(5), at(30)]],
  )
  assert.deepEqual(figures.errors, [{ code: 'STAGE_SPACE', agents: 1 }])
  assert.deepEqual(
    figures.versions.map(({ key, agents, share }) => [key, agents, share]),
    [
      ['1.4.2', 1, 0.2],
      ['1.4.1', 1, 0.2],
      ['1.4.0', 1, 0.2],
      ['1.3.0', 2, 0.4],
    ],
  )
  assert.deepEqual(figures.states, { confirmed: 3, trial: 0, 'rolled-back': 0, waiting: 1, failed: 1 })

  assert.equal((await figuresOf([path], { stuckAfterMs: 60 * HOUR_MS })).agents.stuck, 0)
  assert.equal((await figuresOf([path], { silentAfterMs: 40 * HOUR_MS })).agents.silent, 0)
  // What is offered and not yet seen anywhere is younger than nothing: the agents themselves say since when.
  const offered = await figuresOf([path], { offered: '2.0.0' })
  assert.deepEqual(
    offered.stuck.map(({ id }) => id),
    [idOf(2), idOf(6), idOf(1)],
  )
  const stable = await figuresOf([path], { channel: 'stable' })
  assert.deepEqual([stable.agents.total, stable.channels.length], [5, 1])
})

test('silence is counted to the newest line, however late it is now', async (t) => {
  const polls = [pollOf(at(0), { id: idOf(1) }), pollOf(at(7), { id: idOf(2) })]
  const path = writeLog(logFolder(t), 'x.log', 's3', polls)
  const later = await figuresOf([path], { nowMs: at(1000) })
  assert.deepEqual([later.nowMs, later.agents.silent], [at(7), 0])
  const asked = await figuresOf([path], { nowMs: at(3) })
  assert.equal(asked.nowMs, at(3))
  const more = writeLog(logFolder(t), 'x.log', 's3', [...polls, pollOf(at(9), { id: idOf(2) })])
  assert.equal((await figuresOf([more])).agents.silent, 1)
})

test('of a version the last word of each agent counts, once', async (t) => {
  const failed: BeaconEvent = { n: 1, kind: 'failed', version: '1.4.2', detail: 'NETWORK_TIMEOUT' }
  const rolledBack: BeaconEvent = { n: 3, kind: 'rolled-back', version: '1.4.2', detail: 'UNHEALTHY' }
  const polls = [
    // Failed, tried again, succeeded; told twice, and the second time together.
    pollOf(at(0), { id: idOf(1), events: [failed] }),
    pollOf(at(1), { id: idOf(1), version: '1.4.2', events: [failed, updated(2, 100)] }),
    pollOf(at(2), { id: idOf(1), version: '1.4.2', events: [updated(2, 100)] }),
    // Updated, then rolled back.
    pollOf(at(1), { id: idOf(2), version: '1.4.2', events: [updated(2, 200)] }),
    pollOf(at(2), { id: idOf(2), state: 'rolled-back', events: [rolledBack] }),
    pollOf(at(1), { id: idOf(3), events: [{ ...failed, detail: 'BYTES_HASH' }] }),
    ...[300, 400, 500].map((seconds, n) =>
      pollOf(at(3), { id: idOf(10 + n), version: '1.4.2', events: [updated(1, seconds)] }),
    ),
    pollOf(at(3), { id: idOf(20), version: '1.4.2', state: 'trial' }),
  ]
  const { releases, events } = await figuresOf([writeLog(logFolder(t), 'x.log', 'caddy', polls)])
  const [release, older] = releases
  assert.ok(release !== undefined && older !== undefined)
  const { adoption, ...rest } = release
  assert.deepEqual(rest, {
    version: '1.4.2',
    agents: 5,
    updated: 4,
    rolledBack: 1,
    failed: 1,
    onTrial: 1,
    silent: 0,
    erring: 0,
    hashMismatches: 1,
    failureRate: 2 / 6,
    firstSeenMs: at(1),
    timeToUpdate: { median: 300, p95: 500, max: 500 },
  })
  assert.deepEqual(
    [older.version, older.agents, older.failureRate, older.timeToUpdate],
    ['1.4.1', 2, undefined, undefined],
  )
  assert.deepEqual([adoption[0], adoption.at(-1)?.agents], [{ atMs: at(0), agents: 0 }, 6])
  assert.equal(events.length, 8)
  assert.deepEqual(events[0], { atMs: at(3), id: idOf(10), kind: 'updated', version: '1.4.2', detail: '300' })
})

test('the distribution follows an agent through an update and through a trial that was rolled back', async (t) => {
  const hourly = (id: string, version: string, from: number, to: number): Poll[] =>
    Array.from({ length: to - from + 1 }, (_, n) => pollOf(at(from + n), { id, version }))
  const polls = [
    ...hourly(idOf(1), '1.4.1', 0, 10),
    ...hourly(idOf(1), '1.4.2', 11, 40),
    // On trial from 12 to 14.
    ...hourly(idOf(2), '1.4.1', 0, 11),
    ...hourly(idOf(2), '1.4.2', 12, 14),
    ...hourly(idOf(2), '1.4.1', 15, 40),
    // Gone after 20; for eight hours more it counts.
    ...hourly(idOf(3), '1.4.1', 0, 20),
  ]
  const { distribution } = await figuresOf([writeLog(logFolder(t), 'x.log', 'cloudfront', polls)])
  const on = (hour: number): unknown => distribution.find(({ atMs }) => atMs === at(hour))?.agents
  assert.equal((distribution[1]?.atMs ?? 0) - (distribution[0]?.atMs ?? 0), HOUR_MS)
  assert.deepEqual(on(5), { '1.4.2': 0, '1.4.1': 3 })
  assert.deepEqual(on(11), { '1.4.2': 1, '1.4.1': 2 })
  assert.deepEqual(on(13), { '1.4.2': 2, '1.4.1': 1 })
  assert.deepEqual(on(15), { '1.4.2': 1, '1.4.1': 2 })
  assert.deepEqual(on(27), { '1.4.2': 1, '1.4.1': 2 })
  assert.deepEqual(on(29), { '1.4.2': 1, '1.4.1': 1 })
})

test('polls by hour add up to all polls, over months too', async (t) => {
  for (const days of [1, 9, 200]) {
    const polls = Array.from({ length: 500 }, (_, n) =>
      pollOf(START_MS + Math.floor((n / 499) * days) * DAY_MS, { id: idOf(n) }),
    )
    const figures = await figuresOf([writeLog(logFolder(t), 'x.log', 'combined', polls)])
    assert.equal(
      figures.polls.reduce((sum, one) => sum + one.polls, 0),
      500,
      `${days} days`,
    )
    assert.ok(figures.polls.length <= 97 && figures.distribution.length <= 98, `${figures.polls.length} points`)
    assert.equal(
      new Set(
        figures.polls.map(
          ({ atMs }, n) => atMs - n * ((figures.polls[1]?.atMs ?? atMs) - (figures.polls[0]?.atMs ?? atMs)),
        ),
      ).size,
      1,
    )
  }
})

test('of two programs in one log the larger is shown, or the one that is asked for', async (t) => {
  const polls = [
    pollOf(at(0), { id: idOf(1) }),
    pollOf(at(0), { id: idOf(2) }),
    pollOf(at(0), { id: idOf(3), name: 'other-agent', version: '7.0.0' }),
  ]
  const path = writeLog(logFolder(t), 'x.log', 'combined', polls)
  assert.deepEqual([(await figuresOf([path])).name, (await figuresOf([path])).offered], ['heartbeat-agent', '1.4.1'])
  const other = await figuresOf([path], { name: 'other-agent' })
  assert.deepEqual([other.agents.total, other.offered], [1, '7.0.0'])
})

test('an agent that runs nothing yet counts as none, and no release is called that', async (t) => {
  const polls = [pollOf(at(0), { id: idOf(1), version: undefined }), pollOf(at(0), { id: idOf(2) })]
  const figures = await figuresOf([writeLog(logFolder(t), 'x.log', 'combined', polls)])
  assert.deepEqual(
    figures.versions.map(({ key }) => key),
    ['1.4.1', 'none'],
  )
  assert.deepEqual(
    figures.releases.map(({ version }) => version),
    ['1.4.1'],
  )
})

test('a log of a thousand names cannot fill the memory, and what is left out is counted', async (t) => {
  const polls = Array.from({ length: 70_000 }, (_, n) => pollOf(at(0), { id: idOf(n), version: `1.0.${n}` }))
  const { fleetFigures, readLogs } = await import('../../fleet/index.ts')
  const { counts, fleet } = await readLogs([writeLog(logFolder(t), 'x.log', 'combined', polls)])
  assert.deepEqual([counts.refused, fleet.size, counts.polls], [70_000 - 65_536, 65_536, 70_000])
  const { lines, distribution, releases } = fleetFigures({ fleet, counts })
  assert.equal(lines.refused, 70_000 - 65_536)
  assert.ok(distribution.every(({ agents }) => Object.keys(agents).length <= 100))
  assert.ok(releases.filter(({ adoption }) => adoption.length > 0).length <= 100)
})

test('a flood of made-up versions leaves the curves of those that many agents run', async (t) => {
  const flood = Array.from({ length: 300 }, (_, n) => pollOf(at(1), { id: idOf(n), version: `9.0.${n}` }))
  const fleet = [1000, 1001].flatMap((n) => [
    pollOf(at(0), { id: idOf(n), version: '1.4.1' }),
    pollOf(at(2), { id: idOf(n), version: '1.4.2' }),
  ])
  const figures = await figuresOf([writeLog(logFolder(t), 'x.log', 'combined', [...flood, ...fleet])])
  assert.equal(figures.releases.length, 302)
  assert.equal(figures.releases.filter(({ adoption }) => adoption.length > 0).length, 100)
  assert.equal(figures.releases.find(({ version }) => version === '1.4.2')?.adoption.at(-1)?.agents, 2)
  const shown = figures.distribution.at(-1)?.agents ?? {}
  assert.equal(Object.keys(shown).length, 100)
  assert.equal(shown['1.4.2'], 2)
})

test('an update that a clock which was set right makes decades long is an update, and leaves nothing out', async (t) => {
  const events = [updated(2, 1_790_000_000)]
  const failed: BeaconEvent = { n: 1, kind: 'failed', version: '1.4.2', detail: 'NETWORK_TIMEOUT' }
  const polls = [
    pollOf(at(0), { id: idOf(1), events: [failed] }),
    pollOf(at(1), { id: idOf(1), version: '1.4.2', events }),
  ]
  const { releases, lines } = await figuresOf([writeLog(logFolder(t), 'x.log', 'combined', polls)])
  const [release] = releases
  assert.deepEqual([release?.updated, release?.failed, lines.refused], [1, 0, 0])
})
