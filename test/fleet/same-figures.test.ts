// Logs come in five formats, late, mixed and in pieces. None of it may show in the figures.

import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { test } from 'node:test'

import { drawFrom, makeTraffic, type Poll } from '../../bench/fleet-logs/traffic.ts'
import { LOG_FORMATS } from '../../fleet/formats/log-line.ts'
import type { FleetFigures } from '../../fleet/index.ts'
import { figuresOf, logFolder, pollOf, writeLog } from './log-folder.ts'

const SEED = Math.floor(Math.random() * 0x1_0000_0000)
const HOSTILE = [
  'a "q" \\ b\t\x7f',
  "';DROP TABLE polls;--",
  '=cmd|x',
  '\x1b[2J<script>',
  '%00 %2520',
  'heartbeat-agent/9.9.9',
]

test(`the same traffic gives the same figures in every format (seed ${SEED})`, async (t) => {
  const folder = logFolder(t)
  const polls = [...mixedTraffic(3000, 250)]
  const all: FleetFigures[] = []
  for (const format of LOG_FORMATS) {
    const path = writeLog(folder, `${format}.gz`, format, polls)
    all.push(await figuresOf([path]))
  }
  const [first, ...others] = all
  assert.ok(first !== undefined && first.agents.total > 200)
  assert.equal(first.lines.malformed, 0)
  assert.equal(first.lines.others, polls.length - first.lines.polls)
  assert.ok(first.releases.some(({ updated }) => updated > 10))
  // The heading of CloudFront is two lines.
  for (const other of others)
    assert.deepEqual({ ...other, lines: lessTotal(other) }, { ...first, lines: lessTotal(first) })
})

test(`the order of lines and files does not matter (seed ${SEED})`, async (t) => {
  const polls = [...mixedTraffic(4000, 300), ...conflicts()]
  const folder = logFolder(t)
  const expected = await figuresOf([writeLog(folder, 'all.log', 'combined', polls)])
  for (let round = 0; round < 4; round++) {
    const mixed = polls
      .map((poll, n) => ({ poll, at: drawFrom(SEED, round, n) }))
      .sort((a, b) => a.at - b.at)
      .map(({ poll }) => poll)
    const pieces = logFolder(t)
    const size = Math.ceil(mixed.length / 7)
    for (let piece = 0; piece < 7; piece++) {
      const format = LOG_FORMATS[(piece + round) % LOG_FORMATS.length] ?? 'combined'
      writeLog(pieces, `${piece}.gz`, format, mixed.slice(piece * size, (piece + 1) * size))
    }
    const threads = round % 3
    const found = await figuresOf([pieces], { threads })
    assert.deepEqual(
      { ...found, lines: lessTotal(found) },
      { ...expected, lines: lessTotal(expected) },
      `round ${round}`,
    )
  }
})

test('an event that is told again counts once, also when the same log is read twice', async (t) => {
  const folder = logFolder(t)
  const polls = [...mixedTraffic(2000, 200)]
  const once = await figuresOf([writeLog(folder, 'one.log', 'caddy', polls)])
  writeLog(folder, 'two.log', 's3', polls)
  const twice = await figuresOf([folder])
  assert.deepEqual(twice.releases, once.releases)
  assert.deepEqual(twice.events, once.events)
  assert.equal(twice.lines.polls, once.lines.polls * 2)
})

test('one line more is seen', async (t) => {
  const folder = logFolder(t)
  const polls = [...mixedTraffic(500, 50)]
  const path = writeLog(folder, 'one.log', 'combined', polls)
  const before = await figuresOf([path])
  appendFileSync(path, 'rubbish\n')
  assert.notDeepEqual(await figuresOf([path]), before)
})

function lessTotal({ lines: { polls, others, malformed } }: FleetFigures) {
  return { polls, others, malformed }
}

/** Polls, and what else is in such a log. */
function* mixedTraffic(lines: number, agents: number): Generator<Poll> {
  let n = 0
  for (const poll of makeTraffic({ lines, agents, seed: SEED })) {
    yield poll
    if (++n % 20 === 0) yield { ...poll, userAgent: HOSTILE[n % HOSTILE.length] ?? '' }
    if (n % 50 === 0) yield { ...poll, path: '/heartbeat/bin/1.4.2/heartbeat-agent-linux-amd64', status: 200 }
    if (n % 70 === 0) yield { ...poll, userAgent: 'heartbeat-agent/1.4.1 (linux-amd64; stable) moult/0.1.0' }
  }
}

/** What a home that was copied or lost makes: the same second, the same number, and something else. */
function conflicts(): Poll[] {
  const base = [...makeTraffic({ lines: 1, agents: 1, seed: SEED })][0]
  assert.ok(base !== undefined)
  const id = 'ffffffffffffffff'
  return ['1.4.0', '1.4.2', '1.3.9'].flatMap((version, n) => {
    const event = { n: 4, kind: 'updated', version, detail: String(100 + n) } as const
    const failed = { n: 5, kind: 'failed', version, detail: `STAGE_${'ABC'[n]}` } as const
    return [
      pollOf(base.timeMs + 1000, { id, version, events: [event, failed] }),
      pollOf(base.timeMs + 1000, { id, version, state: 'failed', error: 'BYTES_HASH' }),
      pollOf(base.timeMs + 9_000_000_000_000_000 * 0, { id, version, events: [{ ...event, n: 123_456_789_012_345 }] }),
    ]
  })
}
