import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { readLaunchRecord, writeLaunchRecord } from '../../../agent/home/launch-record.ts'
import { prepareLaunch } from '../../../agent/trial/launch.ts'
import { readReceipt } from '../../../agent/home/receipt.ts'
import { settle } from '../../../agent/trial/settle.ts'
import { loadState } from '../../../agent/home/state.ts'
import { confirmVersion } from '../../../agent/trial/verdict.ts'
import { adopt, BOUNDED, failureOf, makeMachine, program, publish, startHost } from '../field.ts'

describe('settling after a start', { ...BOUNDED, concurrency: true }, () => {
  test('quarantines a version that used up its tries, for good, but not a rebuilt one', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1', sequence: 10 })
    const { home, poll, settings, deps, events } = await makeMachine(t, host)
    await poll()
    const hash = readReceipt(home, '1.0.1')?.sha256
    for (let start = 1; start <= 4; start += 1) prepareLaunch(home, () => undefined)
    assert.deepEqual(readLaunchRecord(home.current), {
      version: '1.0.0',
      failed: { version: '1.0.1', reason: 'tries' },
    })

    assert.deepEqual(await settle(settings, deps), { version: '1.0.0' })
    assert.deepEqual(
      loadState(home, settings.root, assert.fail).quarantine.map((entry) => [
        entry.sha256,
        entry.version,
        entry.reason,
      ]),
      [[hash, '1.0.1', 'tries']],
    )
    assert.deepEqual(fs.readdirSync(home.versions), ['1.0.0'])
    const rolledBack = { kind: 'rolled-back', version: '1.0.1', to: '1.0.0', reason: 'tries' }
    assert.deepEqual(
      events.filter(({ kind }) => kind === 'rolled-back'),
      [rolledBack],
    )

    assert.deepEqual(await settle(settings, deps), { version: '1.0.0' })
    assert.equal(events.filter(({ kind }) => kind === 'rolled-back').length, 1)
    const again = await poll()
    assert.ok(again.kind === 'checked' && again.decision.kind === 'refuse')
    assert.equal(again.decision.reason, 'quarantined')
    publish(host, { version: '1.0.1', sequence: 11, artifact: program('1.0.1', '# rebuilt') })
    assert.equal((await poll()).kind, 'swapped')
  })

  test('repeats itself after a crash between the quarantine and the record', async (t) => {
    const host = await startHost(t)
    const { home, settings, deps } = await makeMachine(t, host)
    await adopt(home, '1.0.1')
    const failed = { version: '1.0.0', failed: { version: '1.0.1', reason: 'tries' } }
    writeLaunchRecord(home.disk, home.current, failed)
    await settle(settings, deps)
    const quarantine = loadState(home, settings.root, assert.fail).quarantine
    await adopt(home, '1.0.1')
    writeLaunchRecord(home.disk, home.current, failed)
    await settle(settings, deps)
    assert.deepEqual(loadState(home, settings.root, assert.fail).quarantine, quarantine)
  })

  test('puts right a record that names a version that is gone, which else would pass for up to date for ever', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1', sequence: 10 })
    const { home, poll, settings, deps, events } = await makeMachine(t, host)
    await poll()
    confirmVersion(settings, '1.0.1')
    fs.rmSync(join(home.versions, '1.0.1'), { recursive: true })
    assert.deepEqual(await settle(settings, deps), { version: '1.0.0' })
    assert.equal(events.at(-1)?.kind, 'warning')
    assert.deepEqual(await poll(), { kind: 'swapped', version: '1.0.1', previous: '1.0.0' })
  })

  test('goes on with both records damaged, from whatever can be run', async (t) => {
    const host = await startHost(t)
    const { home, settings, deps } = await makeMachine(t, host)
    for (const path of [home.current, home.confirmed]) fs.writeFileSync(path, '\0\0\0\0')
    assert.deepEqual(await settle(settings, deps), { version: '1.0.0' })
    fs.rmSync(home.versions, { recursive: true })
    const error = await failureOf(() => settle(settings, deps))
    assert.equal(error.code, 'ERR_HOME_INVALID')
    assert.match(error.hint ?? '', /agent install/)
  })

  test('survives a reason that nobody should have written', async (t) => {
    const host = await startHost(t)
    const { home, settings, deps } = await makeMachine(t, host)
    await adopt(home, '1.0.1')
    fs.writeFileSync(home.current, `version=1.0.0\nfailed=1.0.1\nreason=\u0007${'x'.repeat(5000)}\u0080\nend\n`)
    await settle(settings, deps)
    assert.match(loadState(home, settings.root, assert.fail).quarantine[0]?.reason ?? '', /^\?x{127}$/)
  })

  test('does not stop at rests that cannot be removed', async (t) => {
    const host = await startHost(t)
    const { home, settings, deps, events } = await makeMachine(t, host)
    const immovable = join(home.versions, 'immovable')
    fs.mkdirSync(immovable)
    const { spawnSync } = await import('node:child_process')
    if (spawnSync('mount', ['-t', 'tmpfs', 'none', immovable]).status !== 0)
      return t.skip('no right to mount a file system here')
    try {
      assert.equal((await settle(settings, deps)).version, '1.0.0')
      assert.match(JSON.stringify(events.at(-1)), /cannot tidy up/)
    } finally {
      spawnSync('umount', ['-l', immovable])
    }
  })
})
