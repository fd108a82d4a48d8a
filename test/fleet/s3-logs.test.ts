// Logs in a bucket, over the real SDK and HTTP, from a small S3 of our own that lists in pages.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'

import { nextName, timeOfName } from '../../fleet/sources/log-names.ts'
import { HOUR_MS, idOf, logFolder, pollOf, START_MS, writeLog } from './log-folder.ts'

const PAGE_KEYS = 7
const INDEX = new URL('../../fleet/index.ts', import.meta.url).href

interface Bucket {
  readonly endpoint: string
  readonly objects: Map<string, Buffer>
  readonly listed: string[]
  readonly fetched: string[]
}

test('logs of a bucket are found by prefix and time, and fetched in threads', async (t) => {
  const bucket = await startBucket(t)
  const folder = logFolder(t)
  const hours = 24 * 6
  for (let hour = 0; hour < hours; hour++) {
    const polls = [pollOf(START_MS + hour * HOUR_MS + 1000, { id: idOf(hour) })]
    const name = new Date(START_MS + hour * HOUR_MS).toISOString().slice(0, 13).replace('T', '-')
    bucket.objects.set(`cf/E1.${name}.abc.gz`, readFileSync(writeLog(folder, 'x.gz', 'cloudfront', polls)))
    bucket.objects.set(`cf/E2.${name}.abc.gz`, readFileSync(writeLog(folder, 'x.gz', 'cloudfront', polls)))
  }
  bucket.objects.set('cf/README.txt', Buffer.from('not a log\n'))
  bucket.objects.set('other/x.log', Buffer.from('not asked for\n'))

  const since = START_MS + 100 * HOUR_MS
  const found = await read(
    bucket,
    `readLogs(['s3://logs/cf/'], { sinceMs: ${since}, untilMs: ${since + 3 * HOUR_MS}, threads: 2 })`,
  )
  assert.deepEqual([found.code, found.text], [0, '{"agents":3,"polls":6,"malformed":1}'])
  assert.ok(bucket.fetched.length <= 2 * 6 + 1, `${bucket.fetched.length} objects were fetched`)
  // 289 keys are 42 pages; most lie outside of the time and are not even listed.
  assert.ok(bucket.listed.length < 15, `${bucket.listed.length} pages were listed`)

  const all = await read(bucket, `readLogs(['s3://logs/cf/'], { threads: 2 })`)
  assert.equal(all.text, `{"agents":${hours},"polls":${2 * hours},"malformed":1}`)
})

test('a bucket that refuses is told as such, and not as an empty log', async (t) => {
  const bucket = await startBucket(t)
  const { code, text } = await read(bucket, `readLogs(['s3://absent/cf/'])`)
  assert.equal(code, 1)
  assert.match(text, /ERR_NETWORK_STATUS .*s3:\/\/absent\/cf\/: NoSuchBucket/)
  bucket.objects.set('cf/gone.log', Buffer.from('x'))
  const gone = await read(bucket, `readLogs(['s3://logs/cf/'])`, { GONE: '1' })
  assert.match(gone.text, /ERR_NETWORK_STATUS .*s3:\/\/logs\/cf\/gone.log/)
})

test('names tell their time, whatever stands before it', () => {
  const day = Date.UTC(2026, 10, 20)
  for (const name of ['E1.2026-11-20-05.ab12.gz', 'cf/x/E1.2026-11-20-05.ab12.gz']) {
    const time = timeOfName(name)
    assert.ok(time !== undefined && time.fromMs <= day + 5 * HOUR_MS && time.toMs >= day + 6 * HOUR_MS, name)
    assert.ok(time.fromMs > day + 3 * HOUR_MS)
  }
  for (const name of ['2026-11-20-05-10-59-ABCDEF', 'logs/2026-11-20-05-10-59-ABCDEF', 'a/pre2026-11-20-05-10-59-AB']) {
    const time = timeOfName(name)
    assert.ok(time !== undefined && time.fromMs < day - 24 * HOUR_MS && time.toMs > day + 5 * HOUR_MS, name)
  }
  for (const name of ['access.log', '2026-11-20.log', 'x/2026-11-20-05/access.log']) {
    assert.equal(timeOfName(name), undefined, name)
  }
  assert.equal(nextName('cf/E1.2026-01-01-00.a.gz', day, undefined), 'cf/E1.2026-11-19')
  assert.equal(nextName('cf/E1.2026-12-24-00.a.gz', undefined, day), 'cf/E1.~')
  assert.equal(nextName('cf/E1.2026-11-20-00.a.gz', day, day + HOUR_MS), undefined)
})

/** In a process of its own: the endpoint is taken from its environment, once. */
async function read(
  bucket: Bucket,
  call: string,
  more: Record<string, string> = {},
): Promise<{ code: number; text: string }> {
  const script = `import { readLogs } from ${JSON.stringify(INDEX)}
    try {
      const { fleet, counts } = await ${call}
      console.log(JSON.stringify({ agents: fleet.size, polls: counts.polls, malformed: counts.malformed }))
    } catch (error) {
      console.log(error.code, error.message)
      process.exitCode = 1
    }`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      AWS_ENDPOINT_URL: `${bucket.endpoint}${more['GONE'] === undefined ? '' : '/gone'}`,
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
    },
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  return { code, text: text.trim() }
}

async function startBucket(t: TestContext): Promise<Bucket> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://bucket.invalid')
    const isGone = url.pathname.startsWith('/gone/')
    const [, name, ...rest] = url.pathname.replace(/^\/gone(?=\/)/, '').split('/')
    const key = rest.join('/')
    const answer = (status: number, body: string | Buffer): void => void response.writeHead(status).end(body)
    if (name !== 'logs') answer(404, '<Error><Code>NoSuchBucket</Code></Error>')
    else if (key === '') answer(200, list(bucket, url.searchParams))
    else if (isGone) answer(404, '<Error><Code>NoSuchKey</Code></Error>')
    else {
      bucket.fetched.push(key)
      answer(200, bucket.objects.get(key) ?? '')
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const bucket: Bucket = { endpoint, objects: new Map(), listed: [], fetched: [] }
  return bucket
}

function list(bucket: Bucket, query: URLSearchParams): string {
  const [prefix, after] = [query.get('prefix') ?? '', query.get('start-after') ?? '']
  bucket.listed.push(after)
  const keys = [...bucket.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
  const entries = keys.slice(0, PAGE_KEYS).map((key) => {
    return `<Contents><Key>${key}</Key><Size>${bucket.objects.get(key)?.length ?? 0}</Size></Contents>`
  })
  const isTruncated = keys.length > PAGE_KEYS
  return `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${entries.join('')}</ListBucketResult>`
}
