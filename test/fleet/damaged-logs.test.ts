import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'

import { makeTraffic } from '../../bench/fleet-logs/traffic.ts'
import { fleetFigures, readLogs } from '../../fleet/index.ts'
import { LINE_MAX_BYTES } from '../../fleet/scan/split-lines.ts'
import { isMoultError } from '../../manifests/errors.ts'
import { figuresOf, HOUR_MS, idOf, logFolder, pollOf, START_MS, writeLog } from './log-folder.ts'

const TRAFFIC = [...makeTraffic({ lines: 2000, agents: 200, seed: 1 })]

test('gzip of several members is read to the end', async (t) => {
  const folder = logFolder(t)
  const half = [TRAFFIC.slice(0, 1000), TRAFFIC.slice(1000)]
  const parts = half.map((polls, n) => readFileSync(writeLog(folder, `${n}.gz`, 'combined', polls)))
  writeFileSync(join(folder, 'both.gz'), Buffer.concat(parts))
  const { counts } = await readLogs([join(folder, 'both.gz')])
  assert.deepEqual([counts.polls, counts.damaged], [2000, []])
})

test('gzip that ends early gives what it holds, and is told', async (t) => {
  const folder = logFolder(t)
  const path = writeLog(folder, 'log.gz', 'combined', TRAFFIC)
  const whole = readFileSync(path)
  for (const kept of [0.3, 0.9, 0.9999]) {
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * kept)))
    for (const threads of [0, 1]) {
      const { counts } = await readLogs([path], { threads })
      assert.deepEqual(counts.damaged, [{ source: path, reason: 'the gzip ends early' }])
      assert.ok(counts.polls > 2000 * (kept - 0.2) && counts.malformed <= 1, `${kept}: ${counts.polls}`)
    }
  }
  writeFileSync(path, whole)
  assert.deepEqual((await readLogs([path])).counts.damaged, [])
})

test('gzip that is damaged in the middle gives what stands before, and is told in the figures', async (t) => {
  const folder = logFolder(t)
  const path = writeLog(folder, 'log.gz', 'combined', TRAFFIC)
  const bytes = readFileSync(path)
  bytes.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 64)
  writeFileSync(path, bytes)
  const result = await readLogs([path])
  assert.deepEqual(
    result.counts.damaged.map(({ reason }) => reason),
    ['the gzip is damaged'],
  )
  assert.ok(result.counts.polls < 2000)
  const { lines } = fleetFigures(result)
  assert.equal(lines.malformedExamples[0], `${path}: the gzip is damaged`)
  assert.equal(lines.damaged, 1)
  assert.ok(lines.malformed >= 1)
})

test('plain text with the name of gzip, and gzip without it, are read as what they are', async (t) => {
  const folder = logFolder(t)
  const plain = readFileSync(writeLog(folder, 'x.log', 's3', TRAFFIC))
  writeFileSync(join(folder, 'plain.gz'), plain)
  writeFileSync(join(folder, 'zipped.log'), gzipSync(plain))
  for (const name of ['plain.gz', 'zipped.log']) {
    assert.equal((await readLogs([join(folder, name)])).counts.polls, 2000, name)
  }
})

test('a format that is named is not guessed', async (t) => {
  const folder = logFolder(t)
  const path = writeLog(folder, 'x.log', 'caddy', TRAFFIC.slice(0, 10))
  assert.equal((await readLogs([path], { format: 'caddy' })).counts.polls, 10)
  for (const threads of [0, 1]) {
    const { counts } = await readLogs([path], { format: 'combined', threads })
    assert.deepEqual([counts.polls, counts.malformed], [0, 10])
  }
})

test('malformed lines are counted, the first are shown, and nothing in them acts', async (t) => {
  const folder = logFolder(t)
  const path = writeLog(folder, 'x.log', 'combined', TRAFFIC.slice(0, 3))
  const rubbish = ['\x1b[2J\x07', '\u202eabc', 'x'.repeat(500), '{"a":1}', '<script>', 'six', 'seven']
  writeFileSync(path, `${rubbish.join('\n')}\n\n${readFileSync(path, 'utf8')}`)
  const { counts } = await readLogs([path])
  assert.deepEqual([counts.polls, counts.malformed, counts.lines], [3, 7, 10])
  assert.deepEqual(
    counts.examples.map(({ line, text }) => [line, text]),
    [
      [1, String.raw`\x1b[2J\x07`],
      [2, String.raw`\xe2\x80\xaeabc`],
      [3, `${'x'.repeat(200)}...`],
      [4, '{"a":1}'],
      [5, '<script>'],
    ],
  )
})

test('a line without end is not kept in memory, and the next one is read', async (t) => {
  const folder = logFolder(t)
  const path = writeLog(folder, 'x.log', 'combined', TRAFFIC.slice(0, 3))
  const log = readFileSync(path)
  const long = Buffer.alloc(3 * LINE_MAX_BYTES, 'x')
  writeFileSync(path, Buffer.concat([log, long, Buffer.from('\n'), log, long]))
  const { counts } = await readLogs([path])
  assert.deepEqual([counts.polls, counts.malformed, counts.lines], [6, 2, 8])
})

test('empty logs and empty folders give figures of nothing', async (t) => {
  const folder = logFolder(t)
  mkdirSync(join(folder, 'empty'))
  writeFileSync(join(folder, 'nothing.log'), '')
  const figures = await figuresOf([folder])
  assert.deepEqual(figures.agents, { total: 0, active: 0, silent: 0, stuck: 0 })
  assert.deepEqual([figures.polls, figures.distribution, figures.releases, figures.name], [[], [], [], ''])
  assert.ok(Number.isNaN(figures.lastMs))
})

test('what is no log is refused by name, and its twin is read', async (t) => {
  const folder = logFolder(t)
  const path = writeLog(folder, 'x.log', 'combined', TRAFFIC.slice(0, 3))
  for (const name of ['absent.log', '*.none', 'absent/*.log'].map((one) => join(folder, one))) {
    await assert.rejects(readLogs([name]), (error) => isMoultError(error) && error.code === 'ERR_USAGE_INVALID', name)
  }
  assert.equal((await readLogs([path])).counts.polls, 3)
})

test('folders and patterns find each log once', async (t) => {
  const folder = logFolder(t)
  mkdirSync(join(folder, 'a', 'b'), { recursive: true })
  for (const name of ['1.log', 'a/2.log', 'a/b/3.log', 'a/4.txt', '.5.log']) {
    writeLog(folder, name, 'combined', [pollOf(START_MS, { id: idOf(Number(/\d/.exec(name)?.[0])) })])
  }
  const found = async (...names: string[]): Promise<number> => {
    return (await readLogs(names.map((name) => join(folder, name)))).fleet.size
  }
  assert.equal(await found('.'), 4)
  assert.equal(await found('**/*.log'), 3)
  assert.equal(await found('*.log'), 1)
  assert.equal(await found('a/*'), 2)
  assert.equal(await found('a/?.t*'), 1)
  assert.equal(await found('a/**'), 3)
  assert.equal(await found('1.log', '*.log', '1.log'), 1)
})

test('requests outside of the range are left out, and so are files whose names say so', async (t) => {
  const folder = logFolder(t)
  for (let hour = 0; hour < 10; hour++) {
    const polls = [pollOf(START_MS + hour * HOUR_MS, { id: idOf(hour) })]
    writeLog(folder, `E1.2026-11-20-0${hour}.abcdef.gz`, 'cloudfront', polls)
  }
  const range = { sinceMs: START_MS + 4 * HOUR_MS, untilMs: START_MS + 6 * HOUR_MS }
  const { counts, fleet } = await readLogs([folder], range)
  assert.equal(fleet.size, 2)
  assert.equal(counts.polls, 2)
  // One hour more on either side is looked at, for requests stand in the file of the hour beside theirs, too.
  assert.ok(counts.sources >= 4 && counts.sources <= 6, `${counts.sources} files`)
})

test('a log comes from standard input', async (t) => {
  const folder = logFolder(t)
  const path = writeLog(folder, 'x.gz', 'caddy', TRAFFIC)
  const script = `import { readLogs } from ${JSON.stringify(new URL('../../fleet/index.ts', import.meta.url).href)}
    const { counts } = await readLogs(['-'])
    console.log(counts.polls)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(readFileSync(path))
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  await once(child, 'close')
  assert.equal(printed.trim(), '2000')
})

test('reading stops when it is told to', async (t) => {
  const folder = logFolder(t)
  for (let n = 0; n < 4; n++) writeLog(folder, `${n}.gz`, 'combined', TRAFFIC)
  for (const threads of [0, 2]) {
    const signal = AbortSignal.abort(new Error('enough'))
    await assert.rejects(readLogs([folder], { threads, signal }), /enough/)
  }
})
