import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test, type TestContext } from 'node:test'

import { type Home, homeAt } from '../../../agent/home/home.ts'
import {
  loadState,
  QUARANTINE_MAX,
  quarantinedAt,
  saveState,
  type State,
  withFailedDelta,
  withQuarantined,
} from '../../../agent/home/state.ts'
import { readRoot, sha256 } from '../../../manifests/index.ts'
import { defaultKeys, makeKey, makeRoot } from '../../fixtures/signed-manifest.ts'
import { failureOf, makeDir } from '../field.ts'

const ROOT = readRoot(makeRoot())
const STATE: State = {
  root: ROOT,
  floors: { stable: { sequence: 42, digest: 'd'.repeat(64) } },
  timeFloorMs: 1_700_000_000_000,
  rollbackFloor: '1.2.0',
  quarantine: [{ sha256: 'a'.repeat(64), version: '1.3.0', reason: 'tries', at: '2026-11-21T02:00:00Z' }],
  cached: { etag: '"x"', sha256: 'b'.repeat(64), url: 'http://127.0.0.1/version.json' },
  fallbackId: 'f'.repeat(32),
}
const FRESH: State = { root: ROOT, floors: {}, timeFloorMs: 0, quarantine: [] }

function makeHome(t: TestContext): Home {
  return homeAt(makeDir(t))
}

describe('the state', () => {
  test('comes back as it was saved, and is not written when nothing changed', (t) => {
    const home = makeHome(t)
    assert.deepEqual(loadState(home, ROOT, assert.fail), FRESH)
    saveState(home, STATE)
    assert.deepEqual(loadState(home, ROOT, assert.fail), STATE)
    const inodes = (): number[] => [home.state, home.stateBackup].map((path) => fs.statSync(path).ino)
    const before = inodes()
    saveState(home, STATE)
    assert.deepEqual(inodes(), before)
    assert.equal(fs.statSync(home.state).mode & 0o777, 0o600)
  })

  const damages: Record<string, (path: string) => void> = {
    empty: (path) => fs.truncateSync(path),
    'cut off': (path) => fs.truncateSync(path, 100),
    zeros: (path) => fs.writeFileSync(path, Buffer.alloc(1000)),
    'no JSON': (path) => fs.writeFileSync(path, 'version=1.0.0'),
    'of no format of ours': (path) =>
      fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace('moult-state/1', 'moult-state/0')),
    'of a later format whose floors are something else': (path) =>
      fs.writeFileSync(
        path,
        fs
          .readFileSync(path, 'utf8')
          .replace('moult-state/1', 'moult-state/2')
          .replace('"floors": {', '"floors": {"": 1,'),
      ),
    'text with a NUL in it': (path) => fs.writeFileSync(path, `${fs.readFileSync(path, 'utf8')}\0`),
    'random bytes': (path) => fs.writeFileSync(path, Buffer.from(sha256(Buffer.from('seed')), 'hex')),
    'with a root that is none': (path) =>
      fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace('moult-root/1', 'x')),
    'too large': (path) => fs.writeFileSync(path, Buffer.alloc(5 * 1024 * 1024, ' ')),
    gone: (path) => fs.rmSync(path),
  }
  for (const [name, damage] of Object.entries(damages)) {
    test(`is read from its second copy when the first is ${name}, and starts afresh when both are`, (t) => {
      const home = makeHome(t)
      saveState(home, STATE)
      const warnings: string[] = []
      const warn = (message: string): void => void warnings.push(message)
      damage(home.state)
      assert.deepEqual(loadState(home, ROOT, warn), STATE)
      saveState(home, STATE)
      assert.deepEqual(loadState(home, ROOT, assert.fail), STATE)
      damage(home.state)
      damage(home.stateBackup)
      assert.deepEqual(loadState(home, ROOT, warn), FRESH)
      const isSilent = name === 'gone'
      assert.equal(warnings.length, isSilent ? 0 : 3)
      // Damaged files are kept once for each copy, not without bound.
      for (let round = 0; round < 3; round += 1) {
        saveState(home, STATE)
        damage(home.state)
        loadState(home, ROOT, warn)
      }
      assert.ok(fs.readdirSync(home.path).length <= 4, fs.readdirSync(home.path).join())
    })
  }

  test('case 85: of a later updater, in its format and with members of its own, keeps its floors for an older one', (t) => {
    const home = makeHome(t)
    saveState(home, STATE)
    const later = JSON.parse(fs.readFileSync(home.state, 'utf8')) as Record<string, object>
    const quarantine = STATE.quarantine.map((entry) => ({ ...entry, detail: { signal: 11 } }))
    const floors = { stable: { ...STATE.floors['stable'], seen: '2026-11-21T02:00:00Z' } }
    const text = JSON.stringify({
      ...later,
      format: 'moult-state/2',
      floors,
      quarantine,
      deltas: { base: 'x' },
      pins: [],
    })
    for (const path of [home.state, home.stateBackup]) fs.writeFileSync(path, text)
    assert.deepEqual(loadState(home, ROOT, assert.fail), STATE)
    const raised = { ...STATE, floors: { stable: { sequence: 43, digest: 'e'.repeat(64) } } }
    saveState(home, raised)
    assert.deepEqual(loadState(home, ROOT, assert.fail), raised)
    // What an older updater writes is of its own format again, which the later one has to read.
    assert.match(fs.readFileSync(home.state, 'utf8'), /"format": "moult-state\/1"/)
    assert.deepEqual(fs.readdirSync(home.path).toSorted(), ['state.json', 'state.json.bak'])
  })

  test('refuses to write what it could not read back, and keeps what is there', async (t) => {
    const home = makeHome(t)
    saveState(home, STATE)
    for (const bad of [
      { ...STATE, cached: { sha256: 'b'.repeat(64), url: 'x', etag: 'e'.repeat(3000) } },
      { ...STATE, cached: { sha256: 'b'.repeat(64), url: 'x', etag: '\u0085' } },
      { ...STATE, timeFloorMs: 0.5 },
      { ...STATE, floors: { stable: { sequence: -1, digest: '' } } },
    ]) {
      assert.throws(() => saveState(home, bad))
      assert.deepEqual(loadState(home, ROOT, assert.fail), STATE)
    }
  })

  test('prefers the newer root, pinned or stored, and keeps the floor', (t) => {
    const home = makeHome(t)
    const second = readRoot(makeRoot({ version: 2 }))
    saveState(home, STATE)
    assert.equal(loadState(home, second, assert.fail).root.version, 2)
    assert.equal(loadState(home, second, assert.fail).floors['stable']?.sequence, 42)
    saveState(home, { ...STATE, root: second })
    assert.equal(loadState(home, ROOT, assert.fail).root.version, 2)
  })

  test('believes nothing of another project, or of the same name begun again with other keys', (t) => {
    const home = makeHome(t)
    saveState(home, STATE)
    const other = readRoot(makeRoot({ name: 'other-agent' }))
    assert.deepEqual(loadState(home, other, assert.fail), { ...FRESH, root: other })
    const again = readRoot(makeRoot({ keys: { ...defaultKeys(), root: [makeKey('begun again')] } }))
    assert.deepEqual(loadState(home, again, assert.fail), { ...FRESH, root: again })
  })

  test('keeps a bounded quarantine, the latest entries of it', () => {
    let state: State = FRESH
    for (let index = 0; index < QUARANTINE_MAX + 20; index += 1) {
      state = withQuarantined(state, {
        sha256: sha256(Buffer.from(String(index))),
        version: '1.0.0',
        reason: 'x',
        at: 'now',
      })
    }
    assert.equal(state.quarantine.length, QUARANTINE_MAX)
    assert.equal(state.quarantine.at(-1)?.sha256, sha256(Buffer.from(String(QUARANTINE_MAX + 19))))
    const repeated = withQuarantined(state, {
      sha256: sha256(Buffer.from('50')),
      version: '1.0.0',
      reason: 'again',
      at: 'now',
    })
    assert.equal(repeated.quarantine.length, QUARANTINE_MAX)
  })

  test('keeps the last deltas that failed, each once, and reads what it has written', (t) => {
    const home = makeHome(t)
    const hashes = Array.from({ length: 40 }, (_, index) => sha256(Buffer.from(String(index))))
    let state: State = STATE
    for (const hash of [...hashes, ...hashes.slice(-3)]) {
      state = withFailedDelta(state, hash)
      saveState(home, state)
    }
    const kept = loadState(home, ROOT, assert.fail).failedDeltas
    assert.equal(kept?.length, 32)
    assert.deepEqual(kept.toSorted(), hashes.slice(-32).toSorted())
  })

  test('is used although a read-only home cannot set the damaged copy aside', async (t) => {
    const { mountTmpfs } = await import('../field.ts')
    const { spawnSync } = await import('node:child_process')
    const mounted = mountTmpfs(t, '4m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const home = homeAt(mounted)
    saveState(home, STATE)
    fs.truncateSync(home.state)
    spawnSync('mount', ['-o', 'remount,ro', mounted])
    assert.deepEqual(
      loadState(home, ROOT, () => undefined),
      STATE,
    )
    assert.equal((await failureOf(() => saveState(home, { ...STATE, timeFloorMs: 1 }))).code, 'ERR_STAGE_READ_ONLY')
  })

  test('is not taken for absent when it is there and cannot be read: its floors would be forgotten', async (t) => {
    const home = makeHome(t)
    saveState(home, STATE)
    fs.rmSync(home.state)
    fs.mkdirSync(home.state)
    const error = await failureOf(() => loadState(home, ROOT, assert.fail))
    assert.equal(error.code, 'ERR_STAGE_IO')
  })

  test('loses its floors to a newer pinned root only when that revokes a rollout key', (t) => {
    const home = makeHome(t)
    saveState(home, STATE)
    const rollout = [makeKey('rollout 2')]
    const revoking = readRoot(makeRoot({ version: 2, keys: { ...defaultKeys(), rollout } }))
    const same = readRoot(makeRoot({ version: 2 }))
    assert.deepEqual(loadState(home, same, assert.fail).floors, STATE.floors)
    assert.deepEqual(loadState(home, revoking, assert.fail).floors, {})
  })

  test('holds what failed for good, and for a day what may have failed for the network or the machine', () => {
    const at = '2026-11-21T02:00:00Z'
    const hashes = ['tries', 'health', 'manual', 'no-verified-poll', 'preflight'].map((reason, index) => {
      return { sha256: String(index).repeat(64), version: '1.0.1', reason, at }
    })
    const state = { ...STATE, quarantine: hashes }
    const hoursLater = (hours: number) => quarantinedAt(state, Date.parse(at) + hours * 3_600_000).size
    assert.deepEqual([hoursLater(0), hoursLater(23), hoursLater(25)], [5, 5, 3])
  })
})
