// The engine, the SQL over CloudFront's own lines and the SQL over Parquet have to say the same.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { makeTraffic, type Poll } from '../../bench/fleet-logs/traffic.ts'
import type { FleetFigures } from '../../fleet/index.ts'
import type { Connection } from '../../fleet/parquet/duckdb.ts'
import { writeParquet } from '../../fleet/parquet/write-parquet.ts'
import { ask, createViews, loadCloudFrontLogs, loadParquet, openOrSkip } from './duckdb-tables.ts'
import { figuresOf, HOUR_MS, logFolder, START_MS, writeLog } from './log-folder.ts'

const SEED = Math.floor(Math.random() * 0x1_0000_0000)
const ROUNDS = 80
const AGENTS = 300

test(`engine, raw SQL and Parquet give the same figures (seed ${SEED})`, async (t) => {
  const raw = await openOrSkip(t)
  const parquet = await openOrSkip(t)
  if (raw === undefined || parquet === undefined) return
  const folder = logFolder(t)
  const polls = [...traffic()]
  for (let piece = 0; piece < 3; piece++) {
    const third = polls.filter((_, n) => n % 3 === piece)
    writeLog(folder, `E1.2026-11-20-0${piece}.abc.gz`, 'cloudfront', third)
  }
  const expected = expectedOf(await figuresOf([folder]))
  assert.ok(expected.stuck.length > 0 && expected.silent.length > 0 && expected.errors.length > 0, 'nothing to compare')

  await loadCloudFrontLogs(raw, join(folder, '*.gz'))
  await createViews(raw)
  assert.deepEqual(await askAll(raw), expected, 'over the raw lines')

  const out = join(logFolder(t), 'parquet')
  const { files, rows } = await writeParquet([folder], out)
  assert.equal(files.length, 1)
  assert.ok(rows > polls.length * 0.9)
  await loadParquet(parquet, join(out, '*.parquet'))
  await createViews(parquet)
  assert.deepEqual(await askAll(parquet), expected, 'over Parquet')
})

/** What the figures and the SQL both tell, in one shape. */
function expectedOf(figures: FleetFigures) {
  const told = (pairs: readonly { key: string; agents: number }[]) =>
    pairs.map(({ key, agents }) => `${key} ${agents}`).sort()
  return {
    versions: told(figures.versions),
    platforms: told(figures.platforms),
    channels: told(figures.channels),
    states: told(Object.entries(figures.states).map(([key, agents]) => ({ key, agents }))).filter(
      (one) => !/ 0$/.test(one),
    ),
    releases: figures.releases.map(
      ({ version, updated, rolledBack, failed, failureRate, firstSeenMs, timeToUpdate }) => ({
        version,
        updated,
        rolledBack,
        failed,
        failureRate: failureRate?.toFixed(6),
        firstSeenMs,
        timeToUpdate,
      }),
    ),
    adoption: figures.releases.flatMap(({ version, adoption }) => {
      return adoption.map(({ atMs, agents }) => `${version} ${atMs} ${agents}`)
    }),
    stuck: figures.stuck.map(({ id }) => id).sort(),
    silent: figures.silent.map(({ id }) => id).sort(),
    errors: told(figures.errors.map(({ code, agents }) => ({ key: code, agents }))),
    polls: figures.polls.map(({ atMs, polls }) => `${atMs} ${polls}`),
  }
}

async function askAll(database: Connection): Promise<ReturnType<typeof expectedOf>> {
  const agents = await ask(database, 'agents-by-version')
  const by = (column: string): string[] => {
    const sums = new Map<string, number>()
    for (const row of agents)
      sums.set(String(row[column]), (sums.get(String(row[column])) ?? 0) + Number(row['agents']))
    return [...sums].map(([key, sum]) => `${key} ${sum}`).sort()
  }
  const adopted = await ask(database, 'adoption-by-hour')
  const polls = await ask(database, 'polls-by-hour')
  const releases = (await ask(database, 'releases')).toReversed()
  const idsOf = async (name: string): Promise<string[]> =>
    (await ask(database, name)).map(({ id }) => String(id)).sort()
  return {
    versions: by('version'),
    platforms: by('platform'),
    channels: by('channel'),
    states: by('state'),
    releases: releases.map((row) => ({
      version: String(row['version']),
      updated: Number(row['updated']),
      rolledBack: Number(row['rolled_back']),
      failed: Number(row['failed']),
      failureRate: row['failure_rate'] === null ? undefined : Number(row['failure_rate']).toFixed(6),
      firstSeenMs: timeOf(row['first_seen']),
      timeToUpdate:
        row['max_seconds'] === null
          ? undefined
          : { median: Number(row['median_seconds']), p95: Number(row['p95_seconds']), max: Number(row['max_seconds']) },
    })),
    // First seen within an hour: there at the end of it.
    adoption: releases.flatMap(({ version }) =>
      Array.from({ length: ROUNDS + 1 }, (_, hour) => {
        const atMs = START_MS + hour * HOUR_MS
        const sum = adopted
          .filter((row) => row['version'] === version && timeOf(row['hour']) < atMs)
          .reduce((all, row) => all + Number(row['agents']), 0)
        return `${String(version)} ${atMs} ${sum}`
      }),
    ),
    stuck: await idsOf('stuck-agents'),
    silent: await idsOf('silent-agents'),
    errors: (await ask(database, 'errors')).map((row) => `${String(row['error'])} ${Number(row['agents'])}`).sort(),
    polls: polls.map((row) => `${timeOf(row['hour'])} ${Number(row['polls'])}`),
  }
}

/** One poll an hour, never in the first second of it; some agents fall silent; something else asks, too. */
function* traffic(): Generator<Poll> {
  let n = 0
  for (const poll of makeTraffic({ lines: ROUNDS * AGENTS, agents: AGENTS, seed: SEED, intervalS: 3600 })) {
    const timeMs = poll.timeMs + 1000
    const { id = '' } = poll.beacon
    if (/[37]$/.test(id) && timeMs > START_MS + 50 * HOUR_MS) continue
    yield { ...poll, timeMs }
    if (++n % 40 === 0) yield { ...poll, timeMs, userAgent: 'curl/8.0 "quoted" (x; id=0123456789abcdef)' }
    if (n % 90 === 0) yield { ...poll, timeMs, userAgent: 'heartbeat-agent/1.4.1 (linux-amd64; stable) moult/0.1.0' }
  }
}

function timeOf(value: unknown): number {
  return Date.parse(`${String(value).replace(' ', 'T')}Z`)
}
