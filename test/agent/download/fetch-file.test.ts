import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { disk } from '../../../agent/home/disk.ts'
import type { DownloadOptions, Source } from '../../../agent/download/download-options.ts'
import type { AgentEvent } from '../../../agent/events/events.ts'
import { fetchFile } from '../../../agent/download/fetch-file.ts'
import { sha256 } from '../../../manifests/index.ts'
import { BOUNDED, failureOf, type Host, makeDir, mountTmpfs, startHost } from '../field.ts'
import { randomFrom } from '../../fuzz/random.ts'

const SEED = 20261121
const random = randomFrom(SEED)
const BYTES = Buffer.from(Array.from({ length: 300_000 }, () => Math.floor(random() * 256)))
const SOURCE: Source = { url: 'file', size: BYTES.length, sha256: sha256(BYTES) }

interface Rig {
  readonly host: Host
  readonly path: string
  readonly events: AgentEvent[]
  readonly options: DownloadOptions
  readonly fetch: (overrides?: Partial<DownloadOptions>) => Promise<string>
}

async function makeRig(t: TestContext): Promise<Rig> {
  const host = await startHost(t)
  host.serve('file', BYTES, '"one"')
  const path = join(makeDir(t), `${SOURCE.sha256}.partial`)
  const events: AgentEvent[] = []
  const options: DownloadOptions = {
    base: new URL(`${host.url}/version.json`),
    userAgent: 'test/1',
    timeoutMs: 20_000,
    retries: 1,
    maxBytes: 2 ** 30,
    emit: (event) => events.push(event),
  }
  return {
    host,
    path,
    events,
    options,
    fetch: (overrides = {}) => fetchFile(disk, path, SOURCE, { ...options, ...overrides }),
  }
}

/** Answers the first request with the first bytes and a cut connection, and the rest as the host would. */
function cutOnce(host: Host, length: number, etag = '"one"'): void {
  const whole = host.answers.get('file')
  assert.ok(whole !== undefined)
  host.answer('file', (_, response) => {
    host.answers.set('file', whole)
    response.writeHead(200, { 'content-length': BYTES.length, etag })
    response.write(BYTES.subarray(0, length), () => setTimeout(() => response.destroy(), 50))
  })
}

describe('the download of a file', { ...BOUNDED, concurrency: true }, () => {
  test('goes on where the connection was cut, and asks for the same object', async (t) => {
    const { host, fetch, path, events } = await makeRig(t)
    cutOnce(host, 100_000)
    assert.equal(await fetch(), path)
    assert.deepEqual(fs.readFileSync(path), BYTES)
    assert.equal(host.requests.length, 2)
    assert.match(host.requests[1] ?? '', /^file bytes=[1-9][0-9]*-$/)
    assert.equal(host.headers[1]?.['if-range'], '"one"')
    assert.ok(host.sent < BYTES.length, `${host.sent} bytes sent again`)
    assert.deepEqual(events.filter(({ kind }) => kind === 'download-interrupted').length, 1)
    assert.deepEqual(events.at(-1), { kind: 'download-progress', received: BYTES.length, total: BYTES.length })
  })

  test('goes on after a restart of the process', async (t) => {
    const { host, path, fetch, options } = await makeRig(t)
    host.answer('file', (_, response) => {
      response.writeHead(200, { 'content-length': BYTES.length })
      response.write(BYTES.subarray(0, 150_000))
    })
    const script = `
      import { disk } from ${JSON.stringify(import.meta.resolve('../../../agent/home/disk.ts'))}
      import { fetchFile } from ${JSON.stringify(import.meta.resolve('../../../agent/download/fetch-file.ts'))}
      const options = { base: new URL(${JSON.stringify(options.base.href)}), userAgent: 'x', timeoutMs: 60000, retries: 0, maxBytes: 1e9, emit() {} }
      await fetchFile(disk, ${JSON.stringify(path)}, ${JSON.stringify(SOURCE)}, options)`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: 'inherit',
    })
    t.after(() => child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    for (;;) {
      const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (size >= 100_000) break
      assert.equal(child.exitCode, null)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    child.kill('SIGKILL')
    await exited
    host.serve('file', BYTES, '"one"')
    host.drain()
    await fetch()
    assert.deepEqual(fs.readFileSync(path), BYTES)
    assert.equal(host.requests.length, 1)
    assert.ok(host.sent <= BYTES.length - 100_000, `${host.sent}`)
  })

  test('takes the whole when the host ignores the range', async (t) => {
    const { host, path, fetch } = await makeRig(t)
    fs.writeFileSync(path, BYTES.subarray(0, 1000))
    host.answer('file', (_, response) => void response.end(BYTES))
    await fetch()
    assert.deepEqual(fs.readFileSync(path), BYTES)
  })

  const wrongParts = {
    'another offset': `bytes 0-${BYTES.length - 1}/${BYTES.length}`,
    'another total': `bytes 1000-${BYTES.length - 1}/${BYTES.length + 1}`,
    'no total': `bytes 1000-${BYTES.length - 1}/*`,
    'no content-range': undefined,
  }
  for (const [name, contentRange] of Object.entries(wrongParts)) {
    test(`starts again when a part comes with ${name}`, async (t) => {
      const { host, path, fetch } = await makeRig(t)
      fs.writeFileSync(path, BYTES.subarray(0, 1000))
      host.answer('file', (request, response) => {
        if (request.headers.range === undefined) return void response.end(BYTES)
        response.writeHead(206, contentRange === undefined ? {} : { 'content-range': contentRange })
        response.end(BYTES.subarray(1000))
      })
      await fetch()
      assert.deepEqual(fs.readFileSync(path), BYTES)
      assert.deepEqual(host.requests, ['file bytes=1000-', 'file'])
    })
  }

  test('starts again after status 416', async (t) => {
    const { host, path, fetch } = await makeRig(t)
    fs.writeFileSync(path, BYTES.subarray(0, 1000))
    host.answer('file', (request, response) => {
      if (request.headers.range !== undefined) return void response.writeHead(416).end()
      response.end(BYTES)
    })
    await fetch()
    assert.deepEqual(fs.readFileSync(path), BYTES)
  })

  test('starts again when the object changed between the parts', async (t) => {
    const { host, path, fetch } = await makeRig(t)
    const other = Buffer.alloc(BYTES.length, 'o')
    host.serve('file', BYTES, '"two"')
    const whole = host.answers.get('file')
    assert.ok(whole !== undefined)
    host.answer('file', (_, response) => {
      host.answers.set('file', whole)
      response.writeHead(200, { 'content-length': BYTES.length, etag: '"one"' })
      response.write(other.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50))
    })
    await fetch()
    assert.deepEqual(fs.readFileSync(path), BYTES)
  })

  for (const length of [1000, BYTES.length]) {
    test(`starts again when ${length} bytes of an earlier run turn out bad`, async (t) => {
      const { host, path, fetch } = await makeRig(t)
      fs.writeFileSync(path, Buffer.alloc(length))
      await fetch({ retries: 0 })
      assert.deepEqual(fs.readFileSync(path), BYTES)
      assert.equal(host.requests.at(-1), 'file')
    })
  }

  test('needs no request when the whole file is there already', async (t) => {
    const { host, path, fetch } = await makeRig(t)
    fs.writeFileSync(path, BYTES)
    await fetch()
    assert.deepEqual(host.requests, [])
  })

  test('starts again when more than the whole is there', async (t) => {
    const { path, fetch } = await makeRig(t)
    fs.writeFileSync(path, Buffer.concat([BYTES, BYTES]))
    await fetch()
    assert.deepEqual(fs.readFileSync(path), BYTES)
  })

  const plants: Record<string, (path: string, victim: string) => void> = {
    'a symbolic link': (path, victim) => fs.symlinkSync(victim, path),
    'a dangling symbolic link': (path, victim) => fs.symlinkSync(`${victim}-not-there`, path),
    'a hard link': (path, victim) => fs.linkSync(victim, path),
    'a FIFO': (path) => assert.equal(spawnSync('mkfifo', [path]).status, 0),
    'a directory': (path) => {
      fs.mkdirSync(path)
      fs.writeFileSync(join(path, 'inside'), '')
    },
    'a file of another user': (path) => {
      fs.writeFileSync(path, BYTES.subarray(0, 10))
      fs.chownSync(path, 65_534, 65_534)
    },
  }
  for (const [name, plant] of Object.entries(plants)) {
    const skip = name.includes('user') && process.getuid?.() !== 0 ? 'only root can give a file away' : false
    test(`neither follows nor believes ${name} in place of the partial file`, { skip }, async (t) => {
      const { path, fetch } = await makeRig(t)
      const victim = join(makeDir(t), 'victim')
      fs.writeFileSync(victim, 'precious')
      plant(path, victim)
      await fetch()
      assert.deepEqual(fs.readFileSync(path), BYTES)
      const stat = fs.lstatSync(path)
      assert.ok(stat.isFile() && stat.nlink === 1 && stat.uid === (process.getuid?.() ?? 0))
      assert.equal(stat.mode & 0o777, 0o600)
      assert.equal(fs.readFileSync(victim, 'utf8'), 'precious')
      assert.equal(fs.existsSync(`${victim}-not-there`), false)
    })
  }

  test('waits as long as a busy host asks, and leaves a long wait to the next poll', async (t) => {
    const { host, fetch } = await makeRig(t)
    const whole = host.answers.get('file')
    assert.ok(whole !== undefined)
    host.answer('file', (_, response) => {
      host.answers.set('file', whole)
      response.writeHead(503, { 'retry-after': '2' }).end()
    })
    const started = performance.now()
    await fetch()
    assert.ok(performance.now() - started >= 2000)
    host.drain()
    host.answer('file', (_, response) => void response.writeHead(503, { 'retry-after': '600' }).end())
    const { path: elsewhere } = await makeRig(t)
    const error = await failureOf(() => fetchFile(disk, elsewhere, SOURCE, { ...options(host), retries: 5 }))
    assert.equal(error.code, 'ERR_NETWORK_STATUS')
    assert.equal(error.details['retryAfterMs'], 600_000)
    assert.equal(host.requests.length, 1)
  })

  test('keeps to the rate limit without taking its own pauses for a stall, and stops at once when told to', async (t) => {
    const { fetch } = await makeRig(t)
    const started = performance.now()
    await fetch({ rateLimit: 60_000, stallMs: 700, retries: 0 })
    assert.ok(performance.now() - started >= 3000)
    const slow = await makeRig(t)
    const stop = new AbortController()
    const fetching = failureOf(() => slow.fetch({ rateLimit: 1024, signal: stop.signal }))
    while (slow.host.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    await new Promise((resolve) => setTimeout(resolve, 200))
    stop.abort()
    const stopped = performance.now()
    await fetching
    assert.ok(performance.now() - stopped < 5000)
  })

  test('removes what it has when that fills the disk', async (t) => {
    const mounted = mountTmpfs(t, '128k')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const { options } = await makeRig(t)
    const error = await failureOf(() => fetchFile(disk, join(mounted, 'partial'), SOURCE, options))
    assert.equal(error.code, 'ERR_STAGE_SPACE', error.stack)
    assert.deepEqual(fs.readdirSync(mounted), [])
  })

  test('stops the check of the hash too', async (t) => {
    const { path, fetch } = await makeRig(t)
    fs.writeFileSync(path, BYTES)
    assert.equal((await failureOf(() => fetch({ signal: AbortSignal.abort() }))).exitCode, 20)
    assert.deepEqual(fs.readFileSync(path), BYTES)
  })

  test('does not retry what will not change by itself', async (t) => {
    const { host, fetch } = await makeRig(t)
    for (const answer of [404, 403, 410]) {
      host.drain()
      host.answer('file', (_, response) => void response.writeHead(answer).end())
      assert.equal((await failureOf(() => fetch({ retries: 5 }))).details['status'], answer)
      assert.equal(host.requests.length, 1)
    }
  })
})

function options(host: Host): DownloadOptions {
  const base = new URL(`${host.url}/version.json`)
  return { base, userAgent: 'test/1', timeoutMs: 20_000, retries: 1, maxBytes: 2 ** 30, emit: () => undefined }
}
