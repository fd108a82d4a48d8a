import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { decide, type Decision, rolloutBucket } from '../../manifests/index.ts'
import { NOW_MS, type Overrides } from '../fixtures/signed-manifest.ts'
import { AT, decideCase, EARLY, LATE, offer, percent, SALT, table } from './decide-cases.ts'

const linux = offer({}).release.binaries['linux-amd64']
const quarantine = new Set([linux?.sha256 ?? ''])

describe('which way the offer points', () => {
  table([
    ['a newer version is installed', {}, 'install newer'],
    ['the same version is up to date', { facts: { running: '1.4.2' } }, 'up-to-date'],
    ['the same version with other build metadata is up to date', { facts: { running: '1.4.2+rebuilt' } }, 'up-to-date'],
    [
      'the same version is up to date even where its bytes failed',
      { facts: { running: '1.4.2', quarantine } },
      'up-to-date',
    ],
    ['a release follows its candidate', { facts: { running: '1.4.2-rc.1' } }, 'install newer'],
    [
      'a candidate does not follow its release',
      { release: { version: '1.4.2-rc.1' }, facts: { running: '1.4.2' } },
      'refuse downgrade',
    ],
    [
      'numbers are compared as numbers',
      { release: { version: '1.10.0' }, facts: { running: '1.9.0' } },
      'install newer',
    ],
    ['an agent with nothing installed installs', { facts: { running: undefined } }, 'install first'],
    [
      'an agent with nothing installed does not wait for its stage',
      { facts: { running: undefined }, rollout: percent(0) },
      'install first',
    ],
  ])
})

describe('going back', () => {
  const newer = { running: '1.5.0' }
  const rollback = { rollback: ['1.5.0', '1.5.1'] }
  table([
    ['is refused by itself', { facts: newer }, 'refuse downgrade'],
    ['is done when the rollout names the running version', { facts: newer, rollout: rollback }, 'install rollback'],
    ['is refused when it names others', { facts: { running: '1.5.2' }, rollout: rollback }, 'refuse downgrade'],
    ['does not wait for a percent', { facts: newer, rollout: { ...rollback, ...percent(0) } }, 'install rollback'],
    ['waits while paused', { facts: newer, rollout: { ...rollback, paused: true } }, 'wait paused'],
    ['ends at the floor', { facts: { ...newer, rollbackFloor: '1.4.3' }, rollout: rollback }, 'refuse below-floor'],
    [
      'reaches the floor itself',
      { facts: { ...newer, rollbackFloor: '1.4.2' }, rollout: rollback },
      'install rollback',
    ],
    ['does not bring failed bytes back', { facts: { ...newer, quarantine }, rollout: rollback }, 'refuse quarantined'],
    [
      'is not what naming an older running version means',
      { facts: { running: '1.4.0' }, rollout: { rollback: ['1.4.0'] } },
      'install newer',
    ],
    ['by min_version is not possible', { facts: newer, release: { min_version: '9.0.0' } }, 'refuse downgrade'],
  ])
})

describe('the rollback floor', () => {
  table([
    [
      'holds for an agent whose program is gone',
      { facts: { running: undefined, rollbackFloor: '1.4.3' } },
      'refuse below-floor',
    ],
    ['holds for an upgrade too', { facts: { running: '1.4.1', rollbackFloor: '1.5.0' } }, 'refuse below-floor'],
    [
      'of the offered release binds only once that release has run',
      { release: { rollback_floor: '1.4.2' } },
      'install newer',
    ],
  ])
})

describe('what cannot run here', () => {
  table([
    ['no binary for the platform', { facts: { platform: 'linux-riscv64' } }, 'refuse no-platform'],
    ['a platform named like a member of every object', { facts: { platform: 'constructor' } }, 'refuse no-platform'],
    ['a platform named __proto__', { facts: { platform: '__proto__' } }, 'refuse no-platform'],
    ['bytes that failed here', { facts: { quarantine } }, 'refuse quarantined'],
    [
      'bytes that failed here, even when forced',
      { facts: { quarantine }, release: { min_version: '1.4.2' } },
      'refuse quarantined',
    ],
    [
      'bytes that failed here, even on an empty machine',
      { facts: { quarantine, running: undefined } },
      'refuse quarantined',
    ],
    [
      'other bytes of a version that failed are tried',
      { facts: { quarantine: new Set(['0'.repeat(64)]) } },
      'install newer',
    ],
    [
      'the bytes of another platform failing is nothing',
      { facts: { quarantine, platform: 'darwin-arm64' } },
      'install newer',
    ],
  ])
})

describe('a minimum version', () => {
  const nobody = percent(0)
  table([
    ['moves an older agent at once', { release: { min_version: '1.4.2' }, rollout: nobody }, 'install forced'],
    [
      'leaves an agent at the minimum to the rollout',
      { release: { min_version: '1.4.1' }, rollout: nobody },
      'wait stage',
    ],
    ['above the offered version forces nothing', { release: { min_version: '1.4.3' }, rollout: nobody }, 'wait stage'],
    ['does not overrule a pause', { release: { min_version: '1.4.2' }, rollout: { paused: true } }, 'wait paused'],
    [
      'does not overrule the floor',
      { release: { min_version: '1.4.2' }, facts: { rollbackFloor: '1.5.0' } },
      'refuse below-floor',
    ],
  ])
})

describe('a pause', () => {
  table([
    ['holds an update', { rollout: { paused: true } }, 'wait paused'],
    ['that is false holds nothing', { rollout: { paused: false } }, 'install newer'],
    ['holds a first installation', { rollout: { paused: true }, facts: { running: undefined } }, 'wait paused'],
    ['does not take the update back', { rollout: { paused: true }, facts: { running: '1.4.2' } }, 'up-to-date'],
  ])
})

describe('the policy of the host', () => {
  const night = [{ start: '02:00', end: '04:00', timezone: 'UTC' }]
  const noon = AT('2026-11-22T12:00:00Z')
  const approved = new Set<string>()
  const all = { percentCap: 10, windows: night, approved }
  table([
    [
      'lets an update in while a window is open',
      { facts: { policy: { windows: night } }, now: AT('2026-11-22T02:00:00Z') },
      'install newer',
    ],
    ['holds it while none is', { facts: { policy: { windows: night } }, now: noon }, 'wait window'],
    ['without windows needs none', { facts: { policy: { windows: [] } }, now: noon }, 'install newer'],
    ['holds what nobody has approved', { facts: { policy: { approved } } }, 'wait approval'],
    ['lets in what a person has approved', { facts: { policy: { approved: quarantine } } }, 'install newer'],
    [
      'approves bytes, not versions',
      { facts: { policy: { approved: new Set(['1.4.2', '0'.repeat(64)]) } } },
      'wait approval',
    ],
    ['keeps a host outside its cap out of every stage', { facts: { policy: { percentCap: 84 } } }, 'wait stage'],
    ['lets a host inside its cap take part', { facts: { policy: { percentCap: 85 } } }, 'install newer'],
    ['cannot widen a stage', { facts: { policy: { percentCap: 100 } }, rollout: percent(84) }, 'wait stage'],
    ['asks for no approval before the stage', { facts: { policy: all } }, 'wait stage'],
    [
      'asks for approval outside the window too',
      { facts: { policy: { ...all, percentCap: 100 } }, now: noon },
      'wait approval',
    ],
    [
      'does not hold a forced update',
      { facts: { policy: all }, release: { min_version: '1.4.2' }, now: noon },
      'install forced',
    ],
    [
      'does not hold a signed way back',
      { facts: { policy: all, running: '1.5.0' }, rollout: { rollback: ['1.5.0'] }, now: noon },
      'install rollback',
    ],
    ['does not hold a first installation', { facts: { policy: all, running: undefined }, now: noon }, 'install first'],
    [
      'does not overrule a pause',
      { facts: { policy: { approved: quarantine, windows: night } }, rollout: { paused: true } },
      'wait paused',
    ],
    [
      'does not bring failed bytes back',
      { facts: { quarantine, policy: { approved: quarantine } } },
      'refuse quarantined',
    ],
  ])

  test('says until when a window holds, and until when a stage within the cap does', () => {
    const waiting = { kind: 'wait', version: '1.4.2', bucket: LATE.bucket }
    const window = decideCase({ facts: { policy: { windows: night } }, now: noon })
    const untilMs = AT('2026-11-23T02:00:00Z')
    // What a person could approve is there once it has come to this host.
    assert.deepEqual(window, { ...waiting, reason: 'window', percent: 100, untilMs, binary: linux })
    const stages = [
      { at: '2026-11-21T02:00:00Z', percent: 50 },
      { at: '2026-11-25T02:00:00Z', percent: 90 },
    ]
    const capped = (percentCap: number) =>
      decideCase({ rollout: { stages }, facts: { policy: { percentCap } }, now: noon })
    assert.deepEqual(capped(84), { ...waiting, reason: 'stage', percent: 50 })
    assert.deepEqual(capped(20), { ...waiting, reason: 'stage', percent: 20 })
    assert.deepEqual(capped(85), { ...waiting, reason: 'stage', percent: 50, untilMs: AT('2026-11-25T02:00:00Z') })
  })
})

describe('stages', () => {
  const stages = [
    { at: '2026-11-21T02:00:00Z', percent: 5 },
    { at: '2026-11-23T02:00:00Z', percent: 25 },
    { at: '2026-11-25T02:00:00Z', percent: 100 },
  ]
  const at = (id: string, now: string, given: Overrides = { stages }) =>
    decideCase({ rollout: given, facts: { id }, now: AT(now) })
  const wait = (bucket: number, share: number, until?: string): Decision => ({
    kind: 'wait',
    reason: 'stage',
    version: '1.4.2',
    bucket,
    percent: share,
    ...(until === undefined ? {} : { untilMs: AT(until) }),
  })
  const install = (bucket: number, share: number): Decision => {
    assert.ok(linux !== undefined)
    const { release } = offer({})
    return { kind: 'install', reason: 'newer', version: '1.4.2', binary: linux, release, bucket, percent: share }
  }

  test('are reached one after the other, and a waiting agent knows until when', () => {
    assert.deepEqual([rolloutBucket(SALT, EARLY.id), rolloutBucket(SALT, LATE.id)], [EARLY.bucket, LATE.bucket])
    assert.deepEqual(at(EARLY.id, '2026-11-21T01:59:59Z'), wait(EARLY.bucket, 0, '2026-11-23T02:00:00Z'))
    assert.deepEqual(at(EARLY.id, '2026-11-22T02:00:00Z'), wait(EARLY.bucket, 5, '2026-11-23T02:00:00Z'))
    assert.deepEqual(at(EARLY.id, '2026-11-23T01:59:59Z'), wait(EARLY.bucket, 5, '2026-11-23T02:00:00Z'))
    assert.deepEqual(at(EARLY.id, '2026-11-23T02:00:00Z'), install(EARLY.bucket, 25))
    assert.deepEqual(at(LATE.id, '2026-11-23T02:00:00Z'), wait(LATE.bucket, 25, '2026-11-25T02:00:00Z'))
    assert.deepEqual(at(LATE.id, '2026-11-25T02:00:00Z'), install(LATE.bucket, 100))
    assert.deepEqual(at(LATE.id, '2030-01-01T00:00:00Z'), install(LATE.bucket, 100))
  })

  test('that never reach an agent give no time', () => {
    assert.deepEqual(at(LATE.id, '2026-11-22T02:00:00Z', percent(84)), wait(LATE.bucket, 84))
    assert.deepEqual(at(LATE.id, '2026-11-22T02:00:00Z', percent(85)), install(LATE.bucket, 85))
    assert.deepEqual(at(LATE.id, '2026-11-22T02:00:00Z', percent(0)), wait(LATE.bucket, 0))
  })

  test('may be written in any order', () => {
    for (const now of ['2026-11-22T02:00:00Z', '2026-11-24T02:00:00Z', '2026-11-26T02:00:00Z']) {
      assert.deepEqual(at(LATE.id, now, { stages: stages.toReversed() }), at(LATE.id, now))
    }
  })

  test('may narrow: the last one that has begun counts', () => {
    const halted = [...stages, { at: '2026-11-26T02:00:00Z', percent: 0 }]
    assert.deepEqual(at(LATE.id, '2026-11-25T03:00:00Z', { stages: halted }), install(LATE.bucket, 100))
    assert.deepEqual(at(LATE.id, '2026-11-26T03:00:00Z', { stages: halted }), wait(LATE.bucket, 0))
  })

  test('use the digest of the release as salt when none is given, so that each release has other canaries', () => {
    const manifest = offer({ rollout: { salt: undefined } })
    const decision = decideCase({ rollout: { salt: undefined } })
    assert.equal(decision.bucket, rolloutBucket(manifest.releaseDigest, LATE.id))
    assert.notEqual(decision.bucket, decideCase({ rollout: { salt: undefined }, release: { version: '1.4.3' } }).bucket)
  })
})

test('every decision says where the agent stands, and its exact content', () => {
  assert.deepEqual(decideCase({ facts: { running: '1.4.2' } }), { kind: 'up-to-date', bucket: 8470, percent: 100 })
  assert.deepEqual(decideCase({ facts: { running: '2.0.0' } }), {
    kind: 'refuse',
    reason: 'downgrade',
    version: '1.4.2',
    bucket: 8470,
    percent: 100,
  })
  assert.deepEqual(decideCase({ rollout: { paused: true } }), {
    kind: 'wait',
    reason: 'paused',
    version: '1.4.2',
    bucket: 8470,
    percent: 100,
  })
})

test('the same question has the same answer, and the manifest and the facts are left alone', () => {
  const manifest = offer({})
  const facts = { id: 'agent-1', platform: 'linux-amd64', running: '1.4.1', quarantine: new Set<string>() }
  const before = structuredClone({ manifest, facts })
  assert.deepEqual(decide(manifest, facts, NOW_MS), decide(manifest, facts, NOW_MS))
  assert.deepEqual({ manifest, facts }, before)
})
