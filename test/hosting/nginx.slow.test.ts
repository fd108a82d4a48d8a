import assert from 'node:assert/strict'
import { mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { Agent, get, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { loadState } from '../../agent/home/state.ts'
import { isMoultError } from '../../manifests/index.ts'
import type { AgentEvent } from '../../agent/events/events.ts'
import { Updater } from '../../agent/updater.ts'
import { artifactOf, makeDir, makeMachine, manifestOf, NOW, type Offer } from '../agent/field.ts'
import { until } from '../helpers/moult.ts'
import { configOf, type Nginx, noNginx, startNginx } from './nginx.ts'

const OPTIONS = { skip: noNginx(), timeout: 180_000 }
/** Of the proxy in these tests, instead of 10 seconds. */
const TTL_MS = 1000
const POLLS = 1000

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let published = 0

/** As the publisher does: artifact first, manifest by rename, its time at least a second later. */
function put(dir: string, offer: Offer): void {
  mkdirSync(join(dir, 'bin'), { recursive: true })
  writeFileSync(join(dir, 'bin', `${offer.version}.bin`), artifactOf(offer))
  const fresh = join(dir, '.version.json.new')
  writeFileSync(fresh, manifestOf({ ...offer, binary: { url: `bin/${offer.version}.bin` } }))
  published += 2
  const time = Math.floor(NOW / 1000) + published
  utimesSync(fresh, time, time)
  renameSync(fresh, join(dir, 'version.json'))
}

function ask(url: string, path: string, headers: Record<string, string> = {}, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(`${url}/${path}`, { headers, ...(agent === undefined ? {} : { agent }) }, (response) => {
      let body = ''
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (body += chunk))
        .on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
        .on('error', reject)
    }).on('error', reject)
  })
}

function startOrigin(t: TestContext, dir: string, root: string): Promise<Nginx> {
  const config = configOf('nginx origin', [
    ['listen 8090', 'listen 127.0.0.1:PORT'],
    ['/srv/updates', root],
  ])
  return startNginx(t, join(dir, 'origin'), config)
}

function startEdge(t: TestContext, dir: string, name: string, origin: string, validity = '1s'): Promise<Nginx> {
  const config = configOf('nginx proxy', [
    ['listen 8091', 'listen 127.0.0.1:PORT'],
    ['/var/cache/nginx/moult', join(dir, name, 'cache')],
    ['http://origin.example.com:8090', origin],
    ['200 10s', `200 ${validity}`],
  ])
  return startNginx(t, join(dir, name), config)
}

const manifestRequests = (origin: Nginx): number =>
  origin.requests().filter((line) => line.includes(' /version.json ')).length

test(
  'nginx as the page configures it serves both kinds of files, and keeps the notes to itself',
  OPTIONS,
  async (t) => {
    const dir = makeDir(t)
    const root = join(dir, 'updates')
    put(root, { version: '1.0.1' })
    writeFileSync(join(root, '.attempted.json'), '{}')
    const { url } = await startOrigin(t, dir, root)
    const manifest = await ask(url, 'version.json')
    assert.deepEqual(
      [manifest.status, manifest.headers['cache-control'], manifest.headers['content-type']],
      [200, 'no-cache', 'application/json'],
    )
    const etag = manifest.headers.etag ?? ''
    assert.equal((await ask(url, 'version.json', { 'if-none-match': etag })).status, 304)
    put(root, { version: '1.0.2' })
    assert.equal((await ask(url, 'version.json', { 'if-none-match': etag })).status, 200, 'a new manifest is not a 304')
    const artifact = await ask(url, 'bin/1.0.1.bin', { range: 'bytes=5-' })
    assert.deepEqual(
      [artifact.status, artifact.headers['cache-control'], artifact.headers['content-type']],
      [206, 'public, max-age=31536000, immutable', 'application/octet-stream'],
    )
    assert.equal((await ask(url, '.attempted.json')).status, 404)
  },
)

test('of a thousand polls in a second a handful reach the origin', OPTIONS, async (t) => {
  const dir = makeDir(t)
  const root = join(dir, 'updates')
  put(root, { version: '1.0.1' })
  const origin = await startOrigin(t, dir, root)
  const edge = await startEdge(t, dir, 'edge', origin.url)
  const agent = new Agent({ keepAlive: true, maxSockets: 200 })
  t.after(() => agent.destroy())
  /** A fleet in which every machine sends another beacon and a query that is to get past caches. */
  const poll = async (headers: Record<string, string>): Promise<{ answers: Answer[]; ms: number }> => {
    const startedMs = performance.now()
    const answers = await Promise.all(
      Array.from({ length: POLLS }, (_, index) =>
        ask(edge.url, `version.json?${index}`, { ...headers, 'user-agent': `heartbeat-agent/1.0.${index}` }, agent),
      ),
    )
    return { answers, ms: performance.now() - startedMs }
  }
  // With a slow machine the polls take longer than the time for which the proxy keeps a manifest.
  const handful = (ms: number): number => 2 + Math.ceil(ms / TTL_MS)

  const cold = await poll({})
  const expected = manifestOf({ version: '1.0.1', binary: { url: 'bin/1.0.1.bin' } }).toString('utf8')
  assert.ok(cold.answers.every(({ status, body }) => status === 200 && body === expected))
  const first = manifestRequests(origin)
  t.diagnostic(`cold: ${POLLS} polls in ${Math.round(cold.ms)} ms, ${first} requests to the origin`)
  assert.ok(first <= handful(cold.ms), `${first} requests`)

  const warm = await poll({ 'if-none-match': cold.answers[0]?.headers.etag ?? '' })
  assert.ok(warm.answers.every(({ status, body }) => status === 304 && body === ''))
  const second = manifestRequests(origin) - first
  t.diagnostic(`warm: ${POLLS} polls in ${Math.round(warm.ms)} ms, ${second} requests to the origin`)
  assert.ok(second <= handful(warm.ms), `${second} requests`)

  put(root, { version: '1.0.2', sequence: 11 })
  await until('the new manifest at the edge', async () =>
    (await ask(edge.url, 'version.json')).body.includes('"1.0.2"'),
  )

  await origin.stop()
  await sleep(2 * TTL_MS)
  const { status, body } = await ask(edge.url, 'version.json')
  assert.equal(status, 200, 'an outage of the origin is none of the fleet')
  assert.ok(body.includes('"1.0.2"'))
})

test(
  'case 97: a stale and a fresh edge that answer in turn give no false alarm and no step back',
  OPTIONS,
  async (t) => {
    const dir = makeDir(t)
    const root = join(dir, 'updates')
    put(root, { version: '1.0.1', sequence: 10 })
    const origin = await startOrigin(t, dir, root)
    const stale = await startEdge(t, dir, 'stale', origin.url, '1h')
    const fresh = await startEdge(t, dir, 'fresh', origin.url)
    await ask(stale.url, 'version.json')
    put(root, { version: '1.0.2', sequence: 11 })
    const servers = [stale, fresh].map(({ url }) => `server ${new URL(url).host};`)
    const front = await startNginx(
      t,
      join(dir, 'front'),
      `upstream edges { ${servers.join(' ')} }
     server { listen 127.0.0.1:PORT; location / { proxy_pass http://edges; } }`,
    )

    const machine = await makeMachine(t, front)
    const events: AgentEvent[] = []
    const updater = new Updater({
      version: '1.0.0',
      home: machine.home.path,
      settings: { server: front.url, deployment: 'vm', mode: 'signal-only', retries: 0 },
      firstPollMs: 0,
      env: {},
      clock: () => NOW,
      onEvent: (event) => void events.push(event),
    })
    updater.start()
    t.after(() => updater.stop())
    const polls = (): AgentEvent[] => events.filter(({ kind }) => kind === 'checked' || kind === 'check-failed')
    await until(
      'twenty polls',
      () => {
        updater.checkNow()
        return polls().length >= 20
      },
      120_000,
    )
    await updater.stop()

    const seen = polls().map((event) => (event.kind === 'checked' ? event.sequence : event))
    const since = seen.slice(seen.indexOf(11))
    const failed = since.filter((event) => typeof event === 'object')
    assert.ok(since.filter((event) => event === 11).length >= 5, 'the fresh edge is believed')
    assert.ok(failed.length >= 5, 'the stale edge is refused')
    for (const event of failed) {
      assert.ok(event.kind === 'check-failed' && isMoultError(event.error))
      assert.equal(event.error.code, 'ERR_TRUST_REPLAY')
      assert.equal(event.isQuiet, true, 'a stale edge is no alarm')
    }
    assert.ok(!since.includes(10), 'nothing goes back to the old manifest')
    assert.equal(loadState(machine.home, machine.settings.root, () => undefined).floors['stable']?.sequence, 11)
  },
)
