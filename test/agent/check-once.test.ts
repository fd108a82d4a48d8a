import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { checkOnce } from '../../agent/check-once.ts'
import { readLaunchRecord } from '../../agent/launch-record.ts'
import { prepareLaunch } from '../../agent/launch.ts'
import { withLock } from '../../agent/lock.ts'
import type { SettingsFile } from '../../agent/settings-file.ts'
import { BOUNDED, failureOf, makeMachine, manifestOf, publish, settingsAt, startHost } from './field.ts'

describe('one check by a command', { ...BOUNDED, concurrency: true }, () => {
  test('installs, and confirms when the program has served its probation since its last start', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    const { home, settings, deps, events } = machine
    const check = (laterMs: number, given: Partial<SettingsFile> = {}) =>
      checkOnce(settingsAt(home, host, given), { apply: true }, { ...deps, clock: () => Date.now() + laterMs })
    const isOnTrial = (): boolean => readLaunchRecord(home.current)?.trial !== undefined
    assert.equal((await checkOnce(settings, { apply: true }, deps)).kind, 'swapped')
    await check(3_600_000)
    assert.ok(isOnTrial(), 'it was never started')
    prepareLaunch(home, assert.fail)
    await check(59_000)
    assert.ok(isOnTrial(), 'it has not run for long enough')
    await checkOnce(settings, { apply: false }, { ...deps, clock: () => Date.now() + 61_000 })
    assert.ok(isOnTrial(), 'it was only looked at')
    host.answer('version.json', (_, response) => void response.writeHead(500).end())
    await failureOf(() => check(61_000))
    assert.ok(isOnTrial(), 'no poll has succeeded')
    publish(host, { version: '1.0.1' })
    await check(61_000, { health: { command: ['false'] } })
    assert.ok(isOnTrial(), 'it is not healthy')
    await check(61_000, { health: { command: ['true'] } })
    assert.equal(isOnTrial(), false)
    assert.deepEqual(events.at(-1), { kind: 'confirmed', version: '1.0.1' })
  })

  test('rolls a version back that is still unhealthy at the deadline, and quarantines it', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, settings, deps, events } = await makeMachine(t, host, { health: { command: ['false'] } })
    const check = (laterMs: number) =>
      checkOnce(settings, { apply: true }, { ...deps, clock: () => Date.now() + laterMs })
    await check(0)
    prepareLaunch(home, assert.fail)
    await check(9 * 60_000)
    assert.equal(readLaunchRecord(home.current)?.version, '1.0.1')
    await check(11 * 60_000)
    assert.equal(readLaunchRecord(home.current)?.version, '1.0.0')
    assert.deepEqual(events.at(-1), { kind: 'rolled-back', version: '1.0.1', to: '1.0.0', reason: 'health' })
    const next = await check(12 * 60_000)
    assert.ok(next.kind === 'checked' && next.decision.kind === 'refuse' && next.decision.reason === 'quarantined')
  })

  test('counts the sequence of each channel for itself', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', sequence: 50 })
    const { home, deps } = await makeMachine(t, host)
    await checkOnce(settingsAt(home, host), { apply: true }, deps)
    const beta = manifestOf({
      version: '1.0.0',
      sequence: 3,
      manifest: { channel: 'beta', rollout: { channel: 'beta' } },
    })
    host.serve('beta/version.json', beta)
    await checkOnce(settingsAt(home, host, { channel: 'beta' }), { apply: true }, deps)
    publish(host, { version: '1.0.0', sequence: 49 })
    const error = await failureOf(() => checkOnce(settingsAt(home, host), { apply: true }, deps))
    assert.equal(error.code, 'ERR_TRUST_REPLAY')
  })

  test('is refused while another updater is at work', async (t) => {
    const host = await startHost(t)
    const { home, settings, deps } = await makeMachine(t, host)
    const error = await withLock(home, () => failureOf(() => checkOnce(settings, { apply: true }, deps)))
    assert.equal(error.exitCode, 28)
    assert.deepEqual(host.requests, [])
    assert.deepEqual(fs.readdirSync(home.lock), ['free'])
  })
})
