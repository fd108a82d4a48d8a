import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { readLaunchRecord, writeLaunchRecord } from '../../agent/home/launch-record.ts'
import { withLock } from '../../agent/home/lock.ts'
import { isLaunched, updateRunning } from '../../agent/update-running.ts'
import { rollBackVersion } from '../../agent/trial/verdict.ts'
import { adopt, BOUNDED, makeMachine, type Machine, publish, startHost } from './field.ts'

const poll = (machine: Machine, version: string, isLaunched = true, isOnTrial = false) =>
  withLock(machine.home, () => updateRunning(machine.settings, { version, isLaunched, isOnTrial }, machine.deps))

describe('a poll of the program that runs', BOUNDED, () => {
  test('installs, with the running version as the way back', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    assert.equal((await poll(machine, '1.0.0')).kind, 'swapped')
    assert.equal(readLaunchRecord(machine.home.current)?.previous, '1.0.0')
  })

  test('starts what a command beside it swapped in, instead of installing over it', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    await machine.poll()
    publish(host, { version: '1.0.2', sequence: 11 })
    const result = await poll(machine, '1.0.0')
    assert.deepEqual(result, { kind: 'swapped', version: '1.0.1' })
    assert.deepEqual(readLaunchRecord(machine.home.current)?.previous, '1.0.0')
  })

  test('tries again what the launcher could not count, once the record can be written', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    await machine.poll()
    const record = { version: '1.0.1', previous: '1.0.0', trial: { started: 1, tries: 3 } }
    writeLaunchRecord(machine.home.disk, machine.home.current, record)
    const told = { MOULT_LAUNCHER: '1', MOULT_VERSION: '1.0.0' }
    assert.ok(isLaunched(record, '1.0.0', told))
    const full = Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'write' })
    const disk = { ...machine.home.disk, writeFile: () => assert.fail(full) }
    const settings = { ...machine.settings, home: { ...machine.home, disk } }
    await assert.rejects(poll({ ...machine, settings }, '1.0.0'), { code: 'ERR_STAGE_SPACE' })
    assert.deepEqual(await poll(machine, '1.0.0'), { kind: 'swapped', version: '1.0.1' })
    assert.deepEqual(readLaunchRecord(machine.home.current), record)
  })

  test('is told by the launcher what that started: nothing else passes for it', () => {
    const trial = { started: 0, tries: 3 }
    const told = { MOULT_LAUNCHER: '1', MOULT_VERSION: '1.0.0' }
    const onTrial = { version: '1.0.1', previous: '1.0.0', trial }
    assert.ok(isLaunched({ version: '1.0.0' }, '1.0.0', {}))
    // A unit with the path of an old version in it would start that for ever.
    assert.ok(!isLaunched(onTrial, '1.0.0', {}))
    assert.ok(!isLaunched(onTrial, '1.0.0', { ...told, MOULT_VERSION: '0.9.0' }))
    assert.ok(!isLaunched({ version: '1.0.1', previous: '1.0.0' }, '1.0.0', told))
    assert.ok(!isLaunched({ ...onTrial, previous: '0.9.0' }, '1.0.0', told))
  })

  test('installs nothing, and does not restart, while the launcher is not what started it', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    await machine.poll()
    publish(host, { version: '1.0.2', sequence: 11 })
    const before = fs.readFileSync(machine.home.current, 'utf8')
    assert.equal((await poll(machine, '1.0.0', false)).kind, 'checked')
    assert.equal(fs.readFileSync(machine.home.current, 'utf8'), before)
  })

  test('leaves a rollback by hand alone: what was given up is not installed again before the next start', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    await machine.poll()
    writeLaunchRecord(machine.home.disk, machine.home.current, { version: '1.0.1', previous: '1.0.0' })
    assert.equal(rollBackVersion(machine.home, '1.0.1', 'manual'), '1.0.0')
    assert.equal((await poll(machine, '1.0.1')).kind, 'checked')
    const failed = { version: '1.0.1', reason: 'manual' }
    assert.deepEqual(readLaunchRecord(machine.home.current), { version: '1.0.0', failed })
  })

  test('never makes a version on trial the way back, whoever installs', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    await adopt(machine.home, '1.0.0')
    await machine.poll()
    publish(host, { version: '1.0.2', sequence: 11 })
    await machine.poll()
    const { version, previous } = readLaunchRecord(machine.home.current) ?? {}
    assert.deepEqual([version, previous], ['1.0.2', '1.0.0'])
  })

  test('does not download again what did not start here, for a day', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1', artifact: Buffer.from('#!/bin/sh\nexit 3\n') })
    const machine = await makeMachine(t, host)
    await assert.rejects(poll(machine, '1.0.0'), { code: 'ERR_STAGE_PREFLIGHT' })
    host.drain()
    const second = await poll(machine, '1.0.0')
    assert.ok(
      second.kind === 'checked' && second.decision.kind === 'refuse' && second.decision.reason === 'quarantined',
    )
    assert.deepEqual(host.drain(), ['version.json'])
    const tomorrow = machine.deps.clock() + 25 * 3_600_000
    await assert.rejects(machine.poll({ deps: { clock: () => tomorrow } }), { code: 'ERR_STAGE_PREFLIGHT' })
  })

  test('keeps the floor of what is installed when the state is lost', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1', sequence: 20 })
    const machine = await makeMachine(t, host)
    await machine.poll()
    fs.rmSync(machine.home.state)
    fs.rmSync(machine.home.stateBackup)
    publish(host, { version: '1.0.2', sequence: 19 })
    await assert.rejects(machine.poll(), { code: 'ERR_TRUST_REPLAY' })
    publish(host, { version: '1.0.1', sequence: 20 })
    assert.equal((await machine.poll()).kind, 'checked')
  })
})
