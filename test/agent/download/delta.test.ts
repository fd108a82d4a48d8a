import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, test, type TestContext } from 'node:test'

import { downloadArtifact } from '../../../agent/download/download.ts'
import { usableSources } from '../../../agent/download/usable-sources.ts'
import type { AgentEvent } from '../../../agent/events/events.ts'
import { type Disk, disk } from '../../../agent/home/disk.ts'
import { homeAt } from '../../../agent/home/home.ts'
import { installedArtifacts } from '../../../agent/home/installed-artifacts.ts'
import { withLock } from '../../../agent/home/lock.ts'
import { loadState } from '../../../agent/home/state.ts'
import { settle } from '../../../agent/trial/settle.ts'
import { update } from '../../../agent/update.ts'
import { createPatch } from '../../../delta/index.ts'
import { type Binary, isMoultError, sha256 } from '../../../manifests/index.ts'
import { randomFrom } from '../../fuzz/random.ts'
import {
  adopt,
  assertTidy,
  BOUNDED,
  failureOf,
  type Host,
  makeMachine,
  type Machine,
  program,
  settingsAt,
  startHost,
  waitFor,
  whatRuns,
} from '../field.ts'
import { faultyDisk } from '../faulty-disk.ts'
import {
  artifactFor,
  bodyOf,
  compressed,
  type Delta,
  deltaUrl,
  patchFor,
  publishDeltas,
  type Published,
} from './delta-offer.ts'

const OLD = artifactFor('1.0.0')
const NEW = artifactFor('1.0.1')
const DELTA = deltaUrl('1.0.1', '1.0.0')
const PATCH = patchFor(OLD, NEW)

interface Rig extends Machine {
  readonly host: Host
  readonly published: Published
  /** Path of the program that the delta starts from. */
  readonly program: string
}

async function makeRig(t: TestContext, delta: Partial<Delta> = {}, br = true): Promise<Rig> {
  const host = await startHost(t)
  const published = publishDeltas(host, { version: '1.0.1', deltas: [{ from: OLD, ...delta }], br })
  const machine = await makeMachine(t, host)
  await adopt(machine.home, '1.0.0', bodyOf('1.0.0'))
  return { ...machine, host, published, program: join(machine.home.versions, '1.0.0', 'heartbeat-agent') }
}

function failures(events: readonly AgentEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.kind !== 'download-failed') return []
    return [`${event.source} ${isMoultError(event.error) ? event.error.code : String(event.error)}`]
  })
}

function ways(events: readonly AgentEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'downloaded' ? [`${event.source} ${event.bytes}`] : []))
}

function assertInstalled({ home }: Machine, artifact = NEW, version = '1.0.1'): void {
  assert.equal(sha256(fs.readFileSync(join(home.versions, version, 'heartbeat-agent'))), sha256(artifact))
  assert.equal(whatRuns(home).answers, version)
  assertTidy(home)
  assert.deepEqual(fs.readdirSync(home.staging), [])
}

describe('a delta', { timeout: 5 * BOUNDED.timeout, concurrency: true }, () => {
  test('brings an update in the fewest bytes, and says so', async (t) => {
    const rig = await makeRig(t)
    assert.ok(PATCH.length < NEW.length / 20, `${PATCH.length} bytes`)
    assert.equal((await rig.poll()).kind, 'swapped')
    assert.deepEqual(rig.host.requests, ['version.json', DELTA])
    assert.deepEqual(ways(rig.events), [`delta ${PATCH.length}`])
    assert.deepEqual(failures(rig.events), [])
    assertInstalled(rig)
  })

  test('is passed over where it starts from nothing that is here, is in another format, or has failed', () => {
    const [hash, other] = ['0'.repeat(64), '1'.repeat(64)]
    const delta = { url: 'delta', size: 2, sha256: other, from: hash, encoding: 'moult-delta-1' }
    const installed = { version: '1.0.0', sha256: hash, size: 9, path: '/x', entry: 'x', isTree: false }
    const urls = (download: object, terms?: Parameters<typeof usableSources>[1]): string[] => {
      const binary = { url: 'whole', size: 100, sha256: hash, downloads: [{ ...delta, ...download }] } as Binary
      return usableSources(binary, terms).map(({ url }) => url)
    }
    assert.deepEqual(urls({}, { installed: [installed] }), ['delta', 'whole'])
    assert.deepEqual(urls({}, { installed: [{ ...installed, sha256: other }] }), ['whole'])
    assert.deepEqual(urls({}, { installed: [] }), ['whole'])
    assert.deepEqual(urls({}), ['whole'])
    assert.deepEqual(urls({ encoding: 'moult-delta-2' }, { installed: [installed] }), ['whole'])
    assert.deepEqual(urls({ encoding: 'br' }, { installed: [installed] }), ['whole'])
    assert.deepEqual(urls({ encoding: undefined }, { installed: [installed] }), ['whole'])
    assert.deepEqual(urls({}, { installed: [installed], failed: [other] }), ['whole'])
    assert.deepEqual(urls({ size: 101 }, { installed: [installed] }), ['whole', 'delta'])
  })

  test('is chosen by the bytes that lie here, whatever version its name tells', async (t) => {
    const rig = await makeRig(t)
    const { host } = rig
    const otherBuild = artifactFor('0.0.0')
    publishDeltas(host, {
      version: '1.0.1',
      deltas: [
        { from: otherBuild, fromVersion: '1.0.0', patch: Buffer.from('smaller') },
        { from: OLD, fromVersion: '7.7.7' },
      ],
    })
    await rig.poll()
    assert.deepEqual(host.requests, ['version.json', deltaUrl('1.0.1', '7.7.7')])
    assertInstalled(rig)
  })

  test('may start from any version that is kept, as from the one before', async (t) => {
    const rig = await makeRig(t)
    const before = artifactFor('0.9.0')
    await adopt(rig.home, '0.9.0', bodyOf('0.9.0'))
    await adopt(rig.home, '1.0.0', 'exit 0')
    publishDeltas(rig.host, { version: '1.0.1', deltas: [{ from: before, fromVersion: '0.9.0' }] })
    await rig.poll()
    assert.deepEqual(rig.host.requests, ['version.json', deltaUrl('1.0.1', '0.9.0')])
    assertInstalled(rig)
  })

  test('is not asked for where the settings do not want any', async (t) => {
    const rig = await makeRig(t)
    Object.assign(rig.settings, { deltas: settingsAt(rig.home, rig.host, { deltas: false }).deltas })
    await rig.poll()
    assert.deepEqual(rig.host.requests, ['version.json', '1.0.1.br'])
    assertInstalled(rig)
  })

  const faults: Record<string, [code: string, inflict: (rig: Rig) => unknown, patch?: Buffer]> = {
    'is not there': ['ERR_NETWORK_STATUS', ({ host }) => host.answers.delete(DELTA)],
    'has other bytes': ['ERR_BYTES_HASH', ({ host }) => host.serve(DELTA, Buffer.alloc(PATCH.length))],
    'is too short': ['ERR_BYTES_SIZE', ({ host }) => host.serve(DELTA, PATCH.subarray(1))],
    'goes on for ever': ['ERR_BYTES_SIZE', ({ host }) => host.serve(DELTA, Buffer.concat([PATCH, PATCH]))],
    'was signed, and is no patch': ['ERR_BYTES_ENCODING', () => undefined, Buffer.from('no patch at all')],
    'was signed, and is of a later format': [
      'ERR_BYTES_ENCODING',
      () => undefined,
      Buffer.concat([Buffer.of(0xff), PATCH.subarray(1)]),
    ],
    'was signed, and ends in its header': ['ERR_BYTES_ENCODING', () => undefined, PATCH.subarray(0, 2)],
    'was signed, and starts from a file of another size': [
      'ERR_BYTES_ENCODING',
      () => undefined,
      Buffer.from(createPatch(OLD.subarray(1), NEW)),
    ],
    'was signed, and makes more than it may': [
      'ERR_BYTES_ENCODING',
      () => undefined,
      Buffer.from(createPatch(OLD, Buffer.concat([NEW, NEW]))),
    ],
    'was signed, and makes too little': [
      'ERR_BYTES_SIZE',
      () => undefined,
      Buffer.from(createPatch(OLD, NEW.subarray(1))),
    ],
    'was signed, and makes something else': [
      'ERR_BYTES_HASH',
      () => undefined,
      Buffer.from(createPatch(OLD, Buffer.concat([NEW.subarray(1), Buffer.of(0)]))),
    ],
    'starts from a file that was changed': [
      'ERR_BYTES_HASH',
      ({ program }) => fs.writeFileSync(program, `${OLD.toString().slice(0, -2)}!\n`),
    ],
    'starts from a file that was cut off': ['ERR_BYTES_HASH', ({ program }) => fs.truncateSync(program, 70_000)],
    'starts from a file that is gone': ['ERR_STAGE_IO', ({ program }) => fs.rmSync(program)],
    'starts from what is a link by now': [
      'ERR_STAGE_IO',
      ({ program }) => {
        fs.renameSync(program, `${program}.real`)
        fs.symlinkSync(`${program}.real`, program)
      },
    ],
    'starts from what is a directory by now': [
      'ERR_STAGE_IO',
      ({ program }) => {
        fs.rmSync(program)
        fs.mkdirSync(program)
      },
    ],
    'would have to be had from elsewhere': [
      'ERR_NETWORK_URL',
      ({ host, published }) => {
        const [first, second] = published.binary['downloads'] as Record<string, string>[]
        const downloads = [first, { ...second, url: 'file:///etc/passwd' }]
        publishDeltas(host, { version: '1.0.1', deltas: [], binary: { downloads } as never })
      },
    ],
  }
  for (const [name, [code, inflict, patch]] of Object.entries(faults)) {
    test(`that ${name} is given up for the compressed artifact, and that is reported`, async (t) => {
      const rig = await makeRig(t, patch === undefined ? {} : { patch })
      inflict(rig)
      assert.equal((await rig.poll()).kind, 'swapped')
      assert.deepEqual(failures(rig.events), [`delta ${code}`])
      assert.deepEqual(ways(rig.events), [`br ${compressed(NEW).length}`])
      assertInstalled(rig)
    })
  }

  test('is given up for the whole artifact when the compressed one is bad, too', async (t) => {
    const rig = await makeRig(t)
    for (const path of [DELTA, '1.0.1.br']) rig.host.answers.delete(path)
    await rig.poll()
    assert.deepEqual(failures(rig.events), ['delta ERR_NETWORK_STATUS', 'br ERR_NETWORK_STATUS'])
    assert.deepEqual(ways(rig.events), [`whole ${NEW.length}`])
    assertInstalled(rig)
  })

  test('is not even begun with when the file has changed while the patch came', async (t) => {
    const rig = await makeRig(t)
    rig.host.answer(DELTA, (_, response) => {
      const file = fs.openSync(rig.program, 'r+')
      fs.writeSync(file, Buffer.from('!'), 0, 1, 50_000)
      fs.closeSync(file)
      response.end(PATCH)
    })
    const { disk: watching, operations } = faultyDisk(() => undefined)
    Object.assign(rig.settings, { home: homeAt(rig.home.path, watching) })
    await rig.poll()
    assert.deepEqual(failures(rig.events), ['delta ERR_BYTES_HASH'])
    const made = operations.filter(({ kind, path }) => kind === 'create' && path.endsWith('.unverified'))
    assert.equal(made.length, 1, 'by the compressed artifact only')
    assertInstalled(rig)
  })

  test('reads the file that was hashed, when another takes its name meanwhile', async (t) => {
    const rig = await makeRig(t)
    rig.host.answer(DELTA, (_, response) => {
      fs.writeFileSync(`${rig.program}.new`, 'another')
      fs.renameSync(`${rig.program}.new`, rig.program)
      response.end(PATCH)
    })
    await rig.poll()
    assert.deepEqual(ways(rig.events), [`delta ${PATCH.length}`])
    assertInstalled(rig)
  })

  test('that failed once is not fetched again, by this process or the next one', async (t) => {
    const rig = await makeRig(t, { patch: Buffer.from('no patch at all') })
    const { host, home, events } = rig
    for (const path of ['1.0.1.br', '1.0.1.bin']) host.answer(path, (_, response) => void response.writeHead(503).end())
    for (let round = 0; round < 3; round += 1) {
      // With settings and state as they are read at a start.
      Object.assign(rig.settings, settingsAt(home, host))
      assert.equal((await failureOf(() => rig.poll())).code, 'ERR_NETWORK_STATUS')
      await settle(rig.settings, rig.deps)
    }
    assert.deepEqual(
      host.requests.filter((path) => path === DELTA),
      [DELTA],
    )
    assert.deepEqual(failures(events), ['delta ERR_BYTES_ENCODING'])
    // The next release has another one.
    publishDeltas(host, { version: '1.0.2', sequence: 11, deltas: [{ from: OLD }] })
    await rig.poll()
    assert.deepEqual(host.requests.slice(-1), [deltaUrl('1.0.2', '1.0.0')])
    assertInstalled(rig, artifactFor('1.0.2'), '1.0.2')
  })

  test('is waited for while the host is busy, and goes on where it was cut', async (t) => {
    const rig = await makeRig(t)
    rig.host.answer(DELTA, (_, response) => void response.writeHead(503).end())
    assert.equal((await failureOf(() => rig.poll())).code, 'ERR_NETWORK_STATUS')
    const partial = join(rig.home.staging, `${sha256(PATCH)}.partial`)
    rig.host.answer(DELTA, (_, response) => {
      response.writeHead(200, { 'content-length': PATCH.length })
      response.write(PATCH.subarray(0, 500))
      const isThere = (): boolean => fs.statSync(partial, { throwIfNoEntry: false })?.size === 500
      void waitFor(isThere, 'the start of the patch').finally(() => response.destroy())
    })
    assert.equal((await failureOf(() => rig.poll())).code, 'ERR_NETWORK_UNREACHABLE')
    assert.equal(fs.statSync(partial).size, 500)
    await settle(rig.settings, rig.deps)
    rig.host.serve(DELTA, PATCH)
    rig.host.drain()
    await rig.poll()
    assert.deepEqual(rig.host.requests.slice(1), [`${DELTA} bytes=500-`])
    assert.deepEqual(failures(rig.events), [])
    assertInstalled(rig)
  })

  test('leaves its patch for the next attempt when it is stopped in the middle', async (t) => {
    const rig = await makeRig(t)
    const stop = new AbortController()
    const { disk: stopping } = faultyDisk(({ kind, path }) => {
      if (kind === 'file.write' && path.endsWith('.unverified')) stop.abort(new Error('stopped'))
      return undefined
    })
    Object.assign(rig.settings, { home: homeAt(rig.home.path, stopping) })
    await assert.rejects(rig.poll({ deps: { signal: stop.signal } }), /stopped/)
    assert.deepEqual(fs.readdirSync(rig.home.staging), [`${sha256(PATCH)}.partial`])
    assert.equal(whatRuns(rig.home).answers, '1.0.0')
    rig.host.drain()
    await rig.poll()
    assert.deepEqual(rig.host.requests, ['version.json'])
    assert.deepEqual(ways(rig.events), [`delta ${PATCH.length}`])
    assertInstalled(rig)
  })

  test('is not tried again where the process was ended in the midst of it, as for want of memory', async (t) => {
    const rig = await makeRig(t)
    const ended = `${rig.home.path}-ended`
    t.after(() => fs.rmSync(ended, { recursive: true, force: true }))
    const { disk: watching } = faultyDisk(({ kind, path }) => {
      if (kind === 'file.write' && path.endsWith('.unverified')) fs.cpSync(rig.home.path, ended, { recursive: true })
      return undefined
    })
    Object.assign(rig.settings, { home: homeAt(rig.home.path, watching) })
    await rig.poll()
    assert.deepEqual(ways(rig.events), [`delta ${PATCH.length}`])
    assert.deepEqual(loadState(rig.home, rig.settings.root, assert.fail).failedDeltas, [], 'it was no failure')

    const next = { ...rig, home: homeAt(ended), settings: settingsAt(homeAt(ended), rig.host) }
    assert.ok(fs.readdirSync(next.home.staging).includes(`${sha256(PATCH)}.partial`))
    // It names this process, which is alive.
    fs.rmSync(next.home.lock, { recursive: true })
    await withLock(next.home, () => settle(next.settings, rig.deps))
    rig.host.drain()
    await withLock(next.home, () => update(next.settings, { apply: true }, rig.deps))
    assert.deepEqual(rig.host.requests, ['version.json', '1.0.1.br'])
    assertInstalled(next)
  })

  test('that takes longer than a download may is given up', async (t) => {
    const rig = await makeRig(t)
    const downloadTimeoutMs = 5_000
    let isFirst = true
    const slow: Disk = {
      ...disk,
      async create(path, mode) {
        const file = await disk.create(path, mode)
        if (!path.endsWith('.unverified') || !isFirst) return file
        isFirst = false
        const write = async (bytes: Uint8Array, at: number): Promise<void> => {
          await sleep(downloadTimeoutMs + 500)
          return file.write(bytes, at)
        }
        return { ...file, write }
      },
    }
    Object.assign(rig.settings, { home: homeAt(rig.home.path, slow), downloadTimeoutMs })
    await rig.poll()
    assert.deepEqual(failures(rig.events), ['delta ERR_BYTES_ENCODING'])
    assert.deepEqual(loadState(rig.home, rig.settings.root, assert.fail).failedDeltas, [sha256(PATCH)])
    assertInstalled(rig)
  })

  test('that fails by a defect of this program gives way as well', async (t) => {
    const rig = await makeRig(t)
    let isFirst = true
    const home = homeAt(rig.home.path, {
      ...disk,
      create(path, mode) {
        if (!path.endsWith('.unverified') || !isFirst) return disk.create(path, mode)
        isFirst = false
        return Promise.reject(new RangeError('a defect'))
      },
    })
    Object.assign(rig.settings, { home })
    await rig.poll()
    assert.deepEqual(failures(rig.events), ['delta RangeError: a defect'])
    assertInstalled(rig)
  })

  test('of rubbish that was signed never makes other bytes, nor writes beyond the size', async (t) => {
    const seed = Number(process.env['DELTA_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`DELTA_SEED=${seed}`)
    const random = randomFrom(seed)
    const rig = await makeRig(t, {}, false)
    const written: number[] = []
    const home = homeAt(rig.home.path, {
      ...disk,
      async create(path, mode) {
        const file = await disk.create(path, mode)
        const write = (bytes: Uint8Array, at: number): Promise<void> => {
          if (path.endsWith('.unverified')) written.push(at + bytes.length)
          return file.write(bytes, at)
        }
        return { ...file, write }
      },
    })
    const codes = new Set<string>()
    for (let round = 0; round < 60; round += 1) {
      const patch = Buffer.from(PATCH)
      for (let flips = 1 + Math.floor(random() * 3); flips > 0; flips -= 1) {
        const at = Math.floor(random() * patch.length)
        patch[at] = (patch[at] ?? 0) ^ (1 << Math.floor(random() * 8))
      }
      const { binary } = publishDeltas(rig.host, { version: '1.0.1', deltas: [{ from: OLD, patch }], br: false })
      const events: AgentEvent[] = []
      const base = new URL(`${rig.host.url}/version.json`)
      const sources = usableSources(binary as unknown as Binary, { installed: installedArtifacts(home) })
      const { path } = await downloadArtifact(home, binary as unknown as Binary, sources, {
        base,
        userAgent: 'test/1',
        timeoutMs: 20_000,
        retries: 0,
        maxBytes: 2 ** 30,
        emit: (event) => events.push(event),
      })
      assert.equal(sha256(fs.readFileSync(path)), sha256(NEW))
      fs.rmSync(path)
      assert.deepEqual(fs.readdirSync(home.staging), [])
      for (const failure of failures(events)) codes.add(failure)
    }
    assert.ok(written.length > 0 && Math.max(...written) <= NEW.length, `${Math.max(...written)} of ${NEW.length}`)
    for (const code of codes) assert.match(code, /^delta ERR_BYTES_(?:ENCODING|HASH|SIZE)$/)
    assert.ok(codes.size > 0)
  })

  test('lets the agent work on between its steps', async (t) => {
    const tail = randomBytes(1_200_000).toString('hex')
    const long = (version: string): string => `exit 0\n# ${version} ${tail}`
    const [old, fresh] = [program('1.0.0', long('1.0.0')), program('1.0.1', long('1.0.1'))]
    const rig = await makeRig(t)
    await adopt(rig.home, '1.0.0', long('1.0.0'))
    publishDeltas(rig.host, { version: '1.0.1', artifact: fresh, deltas: [{ from: old }], br: false })
    let turns = 0
    const atWrites: number[] = []
    // A disk that is done at once, so that no turn is owed to it.
    const immediate: Disk = {
      ...disk,
      async create(path, mode) {
        const file = await disk.create(path, mode)
        if (!path.endsWith('.unverified')) return file
        const descriptor = fs.openSync(path, 'r+')
        const write = (bytes: Uint8Array, at: number): Promise<void> => {
          atWrites.push(turns)
          setImmediate(() => (turns += 1))
          fs.writeSync(descriptor, bytes, 0, bytes.length, at)
          return Promise.resolve()
        }
        const close = (): Promise<void> => {
          fs.closeSync(descriptor)
          return file.close()
        }
        return { ...file, write, close }
      },
    }
    Object.assign(rig.settings, { home: homeAt(rig.home.path, immediate) })
    await rig.poll()
    assert.equal(ways(rig.events)[0]?.split(' ')[0], 'delta')
    assert.ok(atWrites.length >= 3, `${atWrites.length} steps`)
    assert.deepEqual(
      atWrites,
      atWrites.map((_, index) => index),
    )
    assertInstalled(rig, fresh)
  })

  test('gives way to the compressed artifact when the disk fails at any operation for it', async (t) => {
    for (const errno of ['EIO', 'ENOSPC']) {
      for (let at = 1; ; at += 1) {
        const rig = await makeRig(t)
        const { home, settings, events } = rig
        const own = new RegExp(`${sha256(PATCH)}\\.partial$|\\.unverified$`)
        const seen: string[] = []
        const { disk: failing } = faultyDisk(({ kind, path }) => {
          if (!own.test(path) || fs.existsSync(join(home.staging, '1.0.1.staged'))) return undefined
          return seen.push(`${kind} ${path.slice(home.staging.length + 65)}`) === at ? errno : undefined
        })
        Object.assign(settings, { home: homeAt(home.path, failing) })
        assert.equal((await rig.poll()).kind, 'swapped', `${errno} at ${at}: ${seen[at - 1]}`)
        if (seen[at - 1] === undefined) {
          for (const kind of [
            'create .partial',
            'file.sync .partial',
            'file.write .unverified',
            'file.read .unverified',
          ])
            assert.ok(seen.includes(kind), `${kind} is not among ${seen.join(', ')}`)
          break
        }
        const isTidying =
          seen[at - 1]?.startsWith('removeTree') === true && ways(events)[0]?.startsWith('delta') === true
        assert.deepEqual(failures(events).length, isTidying ? 0 : 1, seen[at - 1])
        Object.assign(settings, { home })
        await settle(settings, rig.deps)
        assert.equal(whatRuns(home).answers, '1.0.1', seen[at - 1])
        assertTidy(home, seen[at - 1])
      }
    }
  })
})
