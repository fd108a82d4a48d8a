import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { checkOnce } from '../../agent/check-once.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { prepareLaunch } from '../../agent/trial/launch.ts'
import { withLock } from '../../agent/home/lock.ts'
import type { SettingsFile } from '../../agent/settings/settings-file.ts'
import { BOUNDED, failureOf, laterBy, makeMachine, manifestOf, NOW, publish, settingsAt, startHost } from './field.ts'

describe('one check by a command', { ...BOUNDED, concurrency: true }, () => {
  test('installs, and confirms when the program has served its probation since its last start', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    const { home, settings, deps, events } = machine
    const check = (laterMs: number, given: Partial<SettingsFile> = {}) =>
      checkOnce(settingsAt(home, host, given), { apply: true }, { ...deps, ...laterBy(laterMs) })
    const isOnTrial = (): boolean => readLaunchRecord(home.current)?.trial !== undefined
    assert.equal((await check(-3_600_000)).kind, 'swapped')
    await check(0)
    assert.ok(isOnTrial(), 'it was never started')
    prepareLaunch(home, assert.fail)
    await check(59_000)
    assert.ok(isOnTrial(), 'it has not run for long enough')
    await checkOnce(settings, { apply: false }, { ...deps, ...laterBy(61_000) })
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
    const check = (laterMs: number) => checkOnce(settings, { apply: true }, { ...deps, ...laterBy(laterMs) })
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

  const YEARS_MS = 10 * 365 * 86_400_000
  /** Of each check: milliseconds since the update, how far the clock is wrong, and whether the trial goes on after it. */
  const jumps: Record<string, [laterMs: number, jumpMs: number, isOnTrial: boolean][]> = {
    'an hour ahead': [
      [1000, 3_600_000, true],
      [59_000, 3_600_000, true],
      [62_000, 3_600_000, false],
    ],
    'an hour back': [
      [1000, -3_600_000, true],
      [59_000, -3_600_000, true],
      [62_000, -3_600_000, false],
    ],
    'to 1970': [
      [1000, -NOW, true],
      [59_000, -NOW, true],
      [62_000, -NOW, false],
    ],
    'ten years ahead and back': [
      [1000, YEARS_MS, true],
      [62_000, YEARS_MS, true],
      [63_000, 0, true],
      [121_000, 0, true],
      [124_000, 0, false],
    ],
    nowhere: [
      [1000, 0, true],
      [59_000, 0, true],
      [61_000, 0, false],
    ],
  }
  for (const [name, checks] of Object.entries(jumps)) {
    test(`case 88: a clock that jumps ${name} during a trial neither ends it nor keeps it from its end`, async (t) => {
      const host = await startHost(t)
      publish(host, { version: '1.0.1' })
      const { home, settings, deps } = await makeMachine(t, host)
      await checkOnce(settings, { apply: true }, { ...deps, ...laterBy(0) })
      prepareLaunch(home, assert.fail)
      for (const [laterMs, jumpMs, isOnTrial] of checks) {
        const check = () => checkOnce(settings, { apply: true }, { ...deps, ...laterBy(laterMs, jumpMs) })
        // At such a time no manifest is good, and without one nothing is confirmed.
        if (jumpMs === YEARS_MS) assert.equal((await failureOf(check)).exitCode, 22)
        else await check()
        assert.equal(readLaunchRecord(home.current)?.trial !== undefined, isOnTrial, `after ${laterMs} ms`)
      }
    })
  }

  test('case 88: a restart of the machine begins the count anew, and so does a note that is damaged', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, settings, deps } = await makeMachine(t, host)
    const check = async (laterMs: number, boot: string): Promise<boolean> => {
      const { clock } = laterBy(laterMs)
      const monotonic = () => ({ boot, sinceBootMs: 1e9 + performance.now() + laterMs })
      await checkOnce(settings, { apply: true }, { ...deps, clock, monotonic })
      return readLaunchRecord(home.current)?.trial !== undefined
    }
    await check(0, 'one')
    prepareLaunch(home, assert.fail)
    assert.equal(await check(61_000, 'two'), true)
    fs.writeFileSync(home.clocks, '{"boot":')
    assert.equal(await check(119_000, 'two'), true)
    assert.equal(await check(178_000, 'two'), true)
    assert.equal(await check(181_000, 'two'), false)
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
