import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { readLaunchRecord, writeLaunchRecord } from '../../../agent/home/launch-record.ts'
import { loadState } from '../../../agent/home/state.ts'
import { confirmVersion, rollBackVersion, rollbackTarget } from '../../../agent/trial/verdict.ts'
import { adopt, BOUNDED, makeMachine, mountTmpfs, publish, startHost } from '../field.ts'

const FLOOR = { release: { rollback_floor: '1.0.1' } }

describe('a verdict', { ...BOUNDED, concurrency: true }, () => {
  test('confirms the version on trial, and no other', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, poll, settings } = await makeMachine(t, host)
    assert.equal(confirmVersion(settings, '1.0.0'), false)
    await poll()
    assert.equal(confirmVersion(settings, '1.0.0'), false)
    assert.equal(confirmVersion(settings, '1.0.1'), true)
    const confirmed = { version: '1.0.1', previous: '1.0.0' }
    assert.deepEqual(readLaunchRecord(home.current), confirmed)
    assert.deepEqual(readLaunchRecord(home.confirmed), confirmed)
    assert.equal(confirmVersion(settings, '1.0.1'), false)
  })

  test('raises the rollback floor of a confirmed release, also when a newer manifest came during the trial', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1', sequence: 10, manifest: FLOOR })
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    assert.equal(loadState(home, settings.root, assert.fail).rollbackFloor, undefined)
    publish(host, { version: '1.0.2', sequence: 11 })
    await poll({ apply: false })
    confirmVersion(settings, '1.0.1')
    assert.equal(loadState(home, settings.root, assert.fail).rollbackFloor, '1.0.1')
    publish(host, { version: '1.0.0', sequence: 12, manifest: { rollout: { rollback: ['1.0.1'] } } })
    const back = await poll()
    assert.ok(back.kind === 'checked' && back.decision.kind === 'refuse')
    assert.equal(back.decision.reason, 'below-floor')
  })

  test('rolls back to the previous version, when there is one that runs', async (t) => {
    const host = await startHost(t)
    const { home } = await makeMachine(t, host)
    await adopt(home, '1.0.1')
    assert.equal(rollBackVersion(home, '1.0.1', 'health'), undefined)
    const onTrial = { version: '1.0.1', previous: '1.0.0', trial: { started: 1, tries: 3 } }
    writeLaunchRecord(home.disk, home.current, onTrial)
    assert.equal(rollBackVersion(home, '1.0.0', 'health'), undefined)
    const kept = join(home.versions, '1.0.0/heartbeat-agent')
    for (const damage of [() => fs.chmodSync(kept, 0o644), () => fs.truncateSync(kept), () => fs.rmSync(kept)]) {
      damage()
      assert.equal(rollBackVersion(home, '1.0.1', 'health'), undefined)
      assert.deepEqual(readLaunchRecord(home.current), onTrial)
    }
    await adopt(home, '1.0.0')
    writeLaunchRecord(home.disk, home.current, onTrial)
    assert.equal(rollBackVersion(home, '1.0.1', 'line\nbreak'), '1.0.0')
    assert.deepEqual(readLaunchRecord(home.current), {
      version: '1.0.0',
      failed: { version: '1.0.1', reason: 'line?break' },
    })
  })

  test('case 69: goes back to no version whose files have changed since, and says so', async (t) => {
    const host = await startHost(t)
    const { home } = await makeMachine(t, host)
    await adopt(home, '1.0.1')
    await adopt(home, '1.0.2')
    const onTrial = { version: '1.0.2', previous: '1.0.1', trial: { started: 1, tries: 3 } }
    writeLaunchRecord(home.disk, home.current, onTrial)
    writeLaunchRecord(home.disk, home.confirmed, { version: '1.0.1', previous: '1.0.0' })
    const spoil = (version: string): void => fs.appendFileSync(join(home.versions, version, 'heartbeat-agent'), '#')
    assert.equal(rollbackTarget(home, onTrial, assert.fail), '1.0.1')
    spoil('1.0.1')
    const warnings: string[] = []
    assert.equal(
      rollbackTarget(home, onTrial, (message) => warnings.push(message)),
      '1.0.0',
    )
    assert.deepEqual(warnings, ['version 1.0.1 is damaged: its files are not those that were installed'])
    spoil('1.0.0')
    assert.equal(
      rollBackVersion(home, '1.0.2', 'health', (message) => warnings.push(message)),
      undefined,
    )
    assert.equal(warnings.length, 3)
    assert.deepEqual(readLaunchRecord(home.current), onTrial)
  })

  test('leaves the trial as it is on a full disk', async (t) => {
    const mounted = mountTmpfs(t, '40m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const host = await startHost(t)
    publish(host, { version: '1.0.1', manifest: FLOOR })
    const { home, poll, settings } = await makeMachine(t, host, {}, join(mounted, 'home'))
    await poll()
    const before = fs.readFileSync(home.current, 'utf8')
    const { bavail, bsize } = fs.statfsSync(mounted)
    fs.writeFileSync(join(mounted, 'filler'), Buffer.alloc(bavail * bsize))
    assert.throws(() => confirmVersion(settings, '1.0.1'), { code: 'ERR_STAGE_SPACE' })
    assert.equal(fs.readFileSync(home.current, 'utf8'), before)
    fs.rmSync(join(mounted, 'filler'))
    assert.equal(confirmVersion(settings, '1.0.1'), true)
  })
})
