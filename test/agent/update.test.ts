import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import type { Settings } from '../../agent/settings/settings.ts'
import { loadState } from '../../agent/home/state.ts'
import { startServer } from '../../local-server/index.ts'
import { ERROR_CODES, type ErrorCode, formatDate, MANIFEST_MAX_BYTES, sha256 } from '../../manifests/index.ts'
import { makeKey } from '../fixtures/signed-manifest.ts'
import {
  type Answer,
  artifactOf,
  assertTidy,
  BOUNDED,
  failureOf,
  type Host,
  makeDir,
  makeMachine,
  type Machine,
  manifestOf,
  mountTmpfs,
  NOW,
  type Offer,
  program,
  publish,
  startHost,
  whatRuns,
} from './field.ts'

const NEXT: Offer = { version: '1.0.1', sequence: 10 }
const DAY_MS = 86_400_000

describe('an update', { ...BOUNDED, concurrency: true }, () => {
  test('brings the new version onto the machine, on trial and with the old one to go back to', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const machine = await makeMachine(t, host)
    assert.deepEqual(await machine.poll(), { kind: 'swapped', version: '1.0.1', previous: '1.0.0' })
    assert.deepEqual(readLaunchRecord(machine.home.current), {
      version: '1.0.1',
      previous: '1.0.0',
      trial: { started: 0, tries: 3 },
    })
    assert.equal(readLaunchRecord(machine.home.confirmed)?.version, '1.0.0')
    assert.equal(whatRuns(machine.home).answers, '1.0.1')
    assertTidy(machine.home)
    assert.deepEqual(fs.readdirSync(machine.home.staging), [])
    const kinds = machine.events.map(({ kind }) => kind)
    assert.deepEqual(kinds, ['checked', 'update-found', 'download-progress', 'downloaded', 'staged', 'swapped'])
    const installed = join(machine.home.versions, '1.0.1', 'heartbeat-agent')
    assert.equal(fs.statSync(installed).mode & 0o777, 0o755)
    assert.equal(sha256(fs.readFileSync(installed)), sha256(artifactOf(NEXT)))
  })

  test('works with the local server, throttled and with every other request failing', async (t) => {
    const dir = makeDir(t)
    let requests = 0
    const random = (): number => ((requests += 1) % 2 === 0 ? 0 : 0.9)
    const server = await startServer({
      dir,
      port: 0,
      faults: { latencyMs: 5, bytesPerSecond: 50_000, failRate: 0.5, random },
    })
    t.after(() => server.close(0))
    fs.writeFileSync(join(dir, 'version.json'), manifestOf(NEXT))
    fs.writeFileSync(join(dir, '1.0.1.bin'), artifactOf(NEXT))
    const machine = await makeMachine(t, server, { retries: 1 })
    assert.equal((await machine.poll()).kind, 'swapped')
    assert.deepEqual(
      machine.events
        .filter(({ kind }) => kind === 'download-interrupted')
        .map((event) => 'attempt' in event && event.attempt),
      [1],
    )
  })

  test('changes nothing when it may only look, and when there is nothing new', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const machine = await makeMachine(t, host)
    const before = whatRuns(machine.home)
    const looked = await machine.poll({ apply: false })
    assert.ok(looked.kind === 'checked')
    assert.equal(looked.decision.kind, 'install')
    publish(host, { version: '1.0.0', sequence: 11 })
    const upToDate = await machine.poll()
    assert.ok(upToDate.kind === 'checked')
    assert.equal(upToDate.decision.kind, 'up-to-date')
    assert.deepEqual(whatRuns(machine.home), before)
    assert.equal(host.requests.filter((path) => path.endsWith('.bin')).length, 0)
  })

  test('goes back to the version before when the publisher says so, with the bytes as published', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const machine = await makeMachine(t, host)
    await machine.poll()
    fs.writeFileSync(machine.home.current, 'version=1.0.1\nprevious=1.0.0\nend\n')
    // The kept copy has rotted since; and 1.0.0 was adopted from another build anyway.
    fs.appendFileSync(join(machine.home.versions, '1.0.0', 'heartbeat-agent'), 'rot')
    publish(host, {
      version: '1.0.0',
      sequence: 11,
      artifact: program('1.0.0', '# as published'),
      manifest: { rollout: { rollback: ['1.0.1'] } },
    })
    assert.deepEqual(await machine.poll(), { kind: 'swapped', version: '1.0.0', previous: '1.0.1' })
    assert.match(fs.readFileSync(join(machine.home.versions, '1.0.0', 'heartbeat-agent'), 'utf8'), /as published\n$/)
    assert.equal(whatRuns(machine.home).launched, '1.0.0')
  })

  test('writes no file when the host says that nothing has changed', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', sequence: 10 })
    const { home, poll } = await makeMachine(t, host)
    await poll()
    const files = (): string[] =>
      fs
        .readdirSync(home.path, { recursive: true, encoding: 'utf8' })
        .map((name) => join(home.path, name))
        .filter((path) => fs.statSync(path).isFile() && !path.startsWith(home.lock))
        .map((path) => `${path} ${fs.statSync(path).ino} ${fs.statSync(path).mtimeMs}`)
    const before = files()
    host.drain()
    for (let round = 0; round < 3; round += 1) await poll()
    assert.deepEqual(host.requests, ['version.json', 'version.json', 'version.json'])
    assert.deepEqual(
      host.headers.slice(-3).map((headers) => headers['if-none-match'] !== undefined),
      [true, true, true],
    )
    assert.deepEqual(files(), before)
  })

  test('keeps a root that it accepted although the manifest is refused', async (t) => {
    const host = await startHost(t)
    const { makeRootChain } = await import('../fixtures/signed-manifest.ts')
    publish(host, { ...NEXT, manifest: { chain: makeRootChain(2), rollout: { channel: 'beta' } } })
    const { home, poll, settings } = await makeMachine(t, host)
    assert.equal((await failureOf(() => poll())).code, 'ERR_TRUST_TARGET')
    assert.equal(loadState(home, settings.root, assert.fail).root.version, 2)
  })

  test('does not let a signed date of the future move the time', async (t) => {
    const host = await startHost(t)
    const rollout = { issued: formatDate(NOW + 300 * DAY_MS), expires: formatDate(NOW + 310 * DAY_MS) }
    publish(host, { version: '1.0.0', sequence: 10, manifest: { rollout } })
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    assert.ok(loadState(home, settings.root, assert.fail).timeFloorMs <= NOW)
    publish(host, { ...NEXT, sequence: 11 })
    assert.equal((await poll()).kind, 'swapped')
  })

  test('is not fooled by a clock that was set back', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', sequence: 10 })
    const { poll } = await makeMachine(t, host)
    await poll({ deps: { clock: () => NOW + 300 * DAY_MS } }).catch(() => undefined)
    await poll()
    const rollout = { issued: formatDate(NOW - 30 * DAY_MS), expires: formatDate(NOW - 2 * 3_600_000) }
    publish(host, { ...NEXT, sequence: 11, manifest: { rollout } })
    const backThen = { clock: () => NOW - 20 * DAY_MS }
    assert.equal((await failureOf(() => poll({ deps: backThen }))).code, 'ERR_TRUST_EXPIRED')
  })
})

// --- the faults ----------------------------------------------------------------------------------------------------

interface Fault {
  readonly name: string
  readonly code: ErrorCode
  /** Puts the fault on the host, where 1.0.1 is published soundly. */
  readonly inflict: (host: Host, machine: Machine) => void | Promise<void>
  /** Settings with which the fault is waited for; the defaults would take minutes. */
  readonly patience?: Partial<Settings>
  /** A partial file may stay behind. */
  readonly resumes?: boolean
}

const artifact = artifactOf(NEXT)
const download = (answer: Answer) => (host: Host) => host.answer('1.0.1.bin', answer)
const manifest = (answer: Answer) => (host: Host) => host.answer('version.json', answer)
const manifestBytes = (bytes: () => Uint8Array) => (host: Host) => host.serve('version.json', bytes())
const status = (code: number, headers = {}) => manifest((_, response) => void response.writeHead(code, headers).end())

function sendForEver(response: Parameters<Answer>[1], limit = 2 ** 30): { sent: number } {
  const chunk = Buffer.alloc(64 * 1024, ' ')
  const count = { sent: 0 }
  const pump = (): void => {
    while (count.sent < limit && !response.destroyed) {
      count.sent += chunk.length
      if (!response.write(chunk)) return void response.once('drain', pump)
    }
    response.end()
  }
  pump()
  return count
}

const FAULTS: readonly Fault[] = [
  {
    name: 'a download that the host cuts off',
    code: 'ERR_NETWORK_UNREACHABLE',
    inflict: download((_, response) => {
      response.writeHead(200, { 'content-length': artifact.length })
      response.write(artifact.subarray(0, 10), () => response.destroy())
    }),
    resumes: true,
  },
  {
    name: 'a download that is too short, with its length said',
    code: 'ERR_BYTES_SIZE',
    inflict: download((_, response) => void response.end(artifact.subarray(0, -1))),
  },
  {
    name: 'a download that is too short, without a length',
    code: 'ERR_BYTES_SIZE',
    inflict: download((_, response) => {
      response.flushHeaders()
      response.end(artifact.subarray(0, -1))
    }),
  },
  {
    name: 'an empty download',
    code: 'ERR_BYTES_SIZE',
    inflict: download((_, response) => void response.end()),
  },
  {
    name: 'a download of the right size with one wrong bit',
    code: 'ERR_BYTES_HASH',
    inflict: (host) => {
      const wrong = Buffer.from(artifact)
      wrong[20] = (wrong[20] ?? 0) ^ 1
      host.serve('1.0.1.bin', wrong)
    },
  },
  {
    name: 'a download of the right size with the bytes of another version',
    code: 'ERR_BYTES_HASH',
    inflict: (host) => host.serve('1.0.1.bin', program('1.0.9')),
  },
  {
    name: 'a download that is a byte too long',
    code: 'ERR_BYTES_SIZE',
    inflict: (host) => host.serve('1.0.1.bin', Buffer.concat([artifact, Buffer.from('x')])),
  },
  {
    name: 'a download that never ends',
    code: 'ERR_BYTES_SIZE',
    inflict: download((_, response) => void sendForEver(response)),
  },
  {
    name: 'a download that stalls',
    patience: { stallMs: 2000 },
    code: 'ERR_NETWORK_TIMEOUT',
    inflict: download((_, response) => {
      response.writeHead(200, { 'content-length': artifact.length })
      response.write(artifact.subarray(0, 10))
    }),
    resumes: true,
  },
  {
    name: 'a download whose headers never come',
    patience: { stallMs: 2000 },
    code: 'ERR_NETWORK_TIMEOUT',
    inflict: download(() => undefined),
  },
  {
    name: 'a download that drips',
    patience: { downloadTimeoutMs: 3000 },
    code: 'ERR_NETWORK_TIMEOUT',
    inflict: download((_, response) => {
      response.writeHead(200, { 'content-length': artifact.length })
      let at = 0
      const timer = setInterval(() => response.write(artifact.subarray(at, ++at)), 200)
      response.on('close', () => clearInterval(timer))
    }),
    resumes: true,
  },
  {
    name: 'a page of the network in place of the download',
    code: 'ERR_BYTES_SIZE',
    inflict: download(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>'),
    ),
  },
  {
    name: 'a download that is not there',
    code: 'ERR_NETWORK_STATUS',
    inflict: (host) => void host.answers.delete('1.0.1.bin'),
  },
  {
    name: 'a program that does not start',
    code: 'ERR_STAGE_PREFLIGHT',
    inflict: (host) => publish(host, { ...NEXT, artifact: Buffer.from('#!/bin/sh\nexit 7\n') }),
  },
  {
    name: 'a program for another processor',
    code: 'ERR_STAGE_PREFLIGHT',
    inflict: (host) => publish(host, { ...NEXT, artifact: Buffer.from('\x7fELF\x02\x01\x01 not for you') }),
  },
  {
    name: 'an artifact that is larger than the agent takes',
    code: 'ERR_BYTES_SIZE',
    inflict: (host) => publish(host, { ...NEXT, binary: { size: 2 ** 40 } }),
  },
  {
    name: 'an artifact that is larger than the disk',
    code: 'ERR_STAGE_SPACE',
    inflict: (host, { settings }) => {
      Object.assign(settings, { maxPackageSize: 2 ** 52 })
      publish(host, { ...NEXT, binary: { size: 2 ** 50 } })
    },
  },
  {
    name: 'a manifest without signatures',
    code: 'ERR_TRUST_UNSIGNED',
    inflict: manifestBytes(() =>
      manifestOf({ ...NEXT, manifest: { edit: (document) => delete document['signatures'] } }),
    ),
  },
  {
    name: 'a manifest that someone else has signed',
    code: 'ERR_TRUST_SIGNATURE',
    inflict: manifestBytes(() => manifestOf({ ...NEXT, manifest: { releaseSigners: [makeKey('thief')] } })),
  },
  {
    name: 'a manifest with one byte changed',
    code: 'ERR_TRUST_SIGNATURE',
    inflict: manifestBytes(() => Buffer.from(manifestOf(NEXT).toString().replace('WAL directory', 'WAL dirEctory'))),
  },
  {
    name: 'a manifest that is replayed',
    code: 'ERR_TRUST_REPLAY',
    inflict: async (host, machine) => {
      publish(host, { version: '1.0.0', sequence: 9 })
      await machine.poll()
      publish(host, { version: '1.0.1', sequence: 8 })
    },
  },
  {
    name: 'two manifests with one sequence',
    code: 'ERR_TRUST_EQUIVOCATION',
    inflict: async (host, machine) => {
      publish(host, { version: '1.0.0', sequence: 9 })
      await machine.poll()
      publish(host, { version: '1.0.1', sequence: 9 })
    },
  },
  {
    name: 'a manifest that has expired',
    code: 'ERR_TRUST_EXPIRED',
    inflict: (host) =>
      publish(host, {
        ...NEXT,
        manifest: { rollout: { issued: formatDate(NOW - 2 * DAY_MS), expires: formatDate(NOW - 1000) } },
      }),
  },
  {
    name: 'a manifest that is not JSON',
    code: 'ERR_MANIFEST_SYNTAX',
    inflict: manifestBytes(() => Buffer.from('<html>Log in</html>')),
  },
  { name: 'an empty manifest', code: 'ERR_MANIFEST_SYNTAX', inflict: manifestBytes(() => Buffer.alloc(0)) },
  {
    name: 'a manifest that is compressed although nobody asked for it',
    code: 'ERR_MANIFEST_SYNTAX',
    inflict: manifest((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.from('1f8b0800000000000003', 'hex'))
    }),
  },
  {
    name: 'a manifest of 1 GB',
    code: 'ERR_MANIFEST_TOO_LARGE',
    inflict: manifest((_, response) => void sendForEver(response)),
  },
  {
    name: 'a manifest that stalls',
    patience: { stallMs: 500 },
    code: 'ERR_NETWORK_TIMEOUT',
    inflict: manifest((_, response) => void response.write('{')),
  },
  { name: 'a redirect in a circle', code: 'ERR_NETWORK_REDIRECT', inflict: status(302, { location: '/version.json' }) },
  { name: 'status 204', code: 'ERR_NETWORK_STATUS', inflict: status(204) },
  { name: 'status 206 unasked', code: 'ERR_NETWORK_STATUS', inflict: status(206) },
  { name: 'status 304 without a stored copy', code: 'ERR_NETWORK_STATUS', inflict: status(304) },
  { name: 'status 404', code: 'ERR_NETWORK_STATUS', inflict: status(404) },
  { name: 'status 403', code: 'ERR_NETWORK_STATUS', inflict: status(403) },
  { name: 'status 429', code: 'ERR_NETWORK_STATUS', inflict: status(429, { 'retry-after': '7' }) },
  { name: 'status 500', code: 'ERR_NETWORK_STATUS', inflict: status(500) },
  {
    name: 'a connection that is reset',
    code: 'ERR_NETWORK_UNREACHABLE',
    inflict: manifest((request) => void request.socket.destroy()),
  },
  {
    name: 'headers without an end',
    code: 'ERR_NETWORK_UNREACHABLE',
    inflict: manifest((request) => void request.socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`)),
  },
]

describe('an update that fails', { ...BOUNDED, concurrency: 8 }, () => {
  for (const { name, code, inflict, patience = {}, resumes } of FAULTS) {
    test(`leaves the old version running after ${name}: ${code}, exit ${ERROR_CODES[code].exit}`, async (t) => {
      const host = await startHost(t)
      publish(host, NEXT)
      const machine = await makeMachine(t, host)
      const { home, poll } = machine
      const before = whatRuns(home)
      await inflict(host, machine)
      const usual = { ...machine.settings }
      Object.assign(machine.settings, patience)
      const error = await failureOf(() => poll())
      Object.assign(machine.settings, usual)
      assert.equal(error.code, code, error.stack)
      assert.equal(error.exitCode, ERROR_CODES[code].exit)
      assert.match(error.message, /^[^\n]{5,}$/)
      assert.deepEqual(whatRuns(home), before)
      assertTidy(home)
      if (resumes !== true) assert.deepEqual(fs.readdirSync(home.staging), [])

      publish(host, { ...NEXT, sequence: 12 })
      assert.deepEqual(await poll(), { kind: 'swapped', version: '1.0.1', previous: '1.0.0' })
      assert.equal(whatRuns(home).answers, '1.0.1')
    })
  }

  test('reads no more of an endless manifest than its limit, in bounded memory', async (t) => {
    const host = await startHost(t)
    let count = { sent: 0 }
    host.answer('version.json', (_, response) => (count = sendForEver(response)))
    const { poll } = await makeMachine(t, host)
    const before = process.memoryUsage().rss
    assert.equal((await failureOf(() => poll())).code, 'ERR_MANIFEST_TOO_LARGE')
    // What the sockets of both sides hold comes on top.
    assert.ok(count.sent < MANIFEST_MAX_BYTES + 32 * 1024 * 1024, `${count.sent}`)
    assert.ok(process.memoryUsage().rss - before < 256 * 1024 * 1024)
  })

  test('says what is missing when no root is pinned', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll } = await makeMachine(t, host)
    const { settingsAt } = await import('./field.ts')
    const root = fs.readFileSync(home.root)
    fs.rmSync(home.root)
    const error = await failureOf(() => settingsAt(home, host))
    assert.equal(error.code, 'ERR_CONFIG_MISSING')
    assert.equal(error.exitCode, 2)
    assert.match(error.message, /no root document: .*root\.json/)
    assert.equal(whatRuns(home).launched, '1.0.0')
    fs.writeFileSync(home.root, root)
    assert.equal((await poll()).kind, 'swapped')
  })

  for (const room of ['nothing', 'the state, not the artifact', 'half of the artifact']) {
    test(`keeps the old version on a full disk with room for ${room}`, async (t) => {
      const mounted = mountTmpfs(t, '40m')
      if (mounted === undefined) return t.skip('no right to mount a file system here')
      const host = await startHost(t)
      // The check of free space comes first; this artifact passes it and the disk fills up during the download.
      const offer = { ...NEXT, artifact: Buffer.concat([program('1.0.1'), Buffer.alloc(6_000_000, '#')]) }
      publish(host, offer)
      const { home, poll } = await makeMachine(t, host, {}, join(mounted, 'home'))
      const before = whatRuns(home)
      const filler = join(mounted, 'filler')
      const fill = (left: number): void => {
        const { bavail, bsize } = fs.statfsSync(mounted)
        fs.writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - left)))
      }
      if (room === 'nothing') fill(0)
      if (room === 'the state, not the artifact') fill(1_000_000)
      if (room === 'half of the artifact') {
        host.answer('1.0.1.bin', (_, response) => {
          fill(3_000_000)
          response.end(offer.artifact)
        })
      }
      const error = await failureOf(() => poll())
      assert.equal(error.code, 'ERR_STAGE_SPACE', error.stack)
      assert.equal(error.exitCode, 25)
      assert.deepEqual(whatRuns(home), before)
      assertTidy(home)
      fs.rmSync(filler)
      publish(host, offer)
      assert.equal((await poll()).kind, 'swapped')
      assert.equal(whatRuns(home).answers, '1.0.1')
    })
  }

  test('keeps the old version on a read-only home', async (t) => {
    const mounted = mountTmpfs(t, '64m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll } = await makeMachine(t, host, {}, join(mounted, 'home'))
    const remount = (mode: string): void => {
      assert.equal(spawnSync('mount', ['-o', `remount,${mode}`, mounted]).status, 0)
    }
    await poll({ apply: false })
    const before = whatRuns(home)
    remount('ro')
    const error = await failureOf(() => poll())
    assert.equal(error.code, 'ERR_STAGE_READ_ONLY', error.stack)
    assert.equal(error.exitCode, 25)
    assert.deepEqual(whatRuns(home), before)
    remount('rw')
    assertTidy(home)
    assert.equal((await poll()).kind, 'swapped')
  })
})
