import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { approveUpdate, revokeApprovals } from '../../../agent/home/approval.ts'
import { checkOnce } from '../../../agent/check-once.ts'
import { explainUpdate } from '../../../agent/report/explain.ts'
import { readHistory } from '../../../agent/report/history.ts'
import { APPROVALS_MAX, loadState, withApproved } from '../../../agent/home/state.ts'
import { formatDate, sha256 } from '../../../manifests/index.ts'
import { BOUNDED, failureOf, makeMachine, NOW, program, publish, settingsAt, startHost } from '../field.ts'

const NEEDED = { approval: true }

describe('an approval', BOUNDED, () => {
  test('is waited for, lets in what was offered, and outlives the process', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { settings, home, deps, events } = await makeMachine(t, host, NEEDED)
    const check = () => checkOnce(settings, { apply: true }, deps)
    const waiting = await check()
    assert.ok(waiting.kind === 'checked' && waiting.decision.kind === 'wait' && waiting.decision.reason === 'approval')
    assert.deepEqual((await explainUpdate(settings, deps)).approval, { isNeeded: true, isGiven: false })
    const approved = await approveUpdate(settings, undefined, deps)
    const digest = sha256(program('1.0.1'))
    assert.deepEqual(approved, { version: '1.0.1', sha256: digest })
    assert.deepEqual(loadState(home, settings.root, assert.fail).approved, [{ ...approved, at: formatDate(NOW) }])
    assert.deepEqual((await explainUpdate(settings, deps)).approval, { isNeeded: true, isGiven: true })
    assert.deepEqual(events.at(-1), { kind: 'approved', version: '1.0.1', sha256: digest })
    assert.equal(readHistory(home).at(-1)?.kind, 'approved')
    assert.equal((await check()).kind, 'swapped')
  })

  test('is of bytes: another build of the version waits again', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { settings, deps } = await makeMachine(t, host, NEEDED)
    await approveUpdate(settings, '1.0.1', deps)
    publish(host, { version: '1.0.1', sequence: 11, artifact: program('1.0.1', 'exit 3') })
    const again = await checkOnce(settings, { apply: true }, deps)
    assert.ok(again.kind === 'checked' && again.decision.kind === 'wait' && again.decision.reason === 'approval')
  })

  test('is refused for what is not offered, runs already or failed here', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { settings, deps, home } = await makeMachine(t, host, NEEDED)
    const refusal = async (version?: string): Promise<string> => {
      const error = await failureOf(() => approveUpdate(settings, version, deps))
      assert.equal(error.code, 'ERR_POLICY_REFUSED')
      return error.message
    }
    assert.equal(await refusal('1.0.2'), 'not offered here: 1.0.2')
    publish(host, { version: '0.9.0', sequence: 11 })
    assert.equal(await refusal(), 'nothing to approve (downgrade): 0.9.0')
    publish(host, { version: '1.0.0', sequence: 12 })
    assert.equal(await refusal(), 'nothing to approve (it runs already): 1.0.0')
    host.answer('version.json', (_, response) => void response.writeHead(500).end())
    assert.equal((await failureOf(() => approveUpdate(settings, undefined, deps))).code, 'ERR_NETWORK_STATUS')
    assert.equal(loadState(home, settings.root, assert.fail).approved, undefined)
    publish(host, { version: '1.0.1', sequence: 13 })
    assert.equal((await approveUpdate(settings, '1.0.1', deps)).version, '1.0.1')
  })

  test('can be given before the stage comes, and be taken back', async (t) => {
    const host = await startHost(t)
    const stages = [{ at: formatDate(NOW - 1000), percent: 0 }]
    publish(host, { version: '1.0.1', manifest: { rollout: { stages } } })
    const { settings, deps } = await makeMachine(t, host, NEEDED)
    await approveUpdate(settings, undefined, deps)
    assert.deepEqual(await revokeApprovals(settings, '1.0.2', deps), [])
    assert.equal((await explainUpdate(settings, deps)).approval.isGiven, true)
    assert.deepEqual(await revokeApprovals(settings, '1.0.1', deps), ['1.0.1'])
    assert.equal((await explainUpdate(settings, deps)).approval.isGiven, false)
    await approveUpdate(settings, undefined, deps)
    assert.deepEqual(await revokeApprovals(settings, undefined, deps), ['1.0.1'])
  })

  test('is not needed unless the host asks for it', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { settings, deps } = await makeMachine(t, host)
    assert.deepEqual((await explainUpdate(settings, deps)).approval, { isNeeded: false, isGiven: false })
    assert.equal((await checkOnce(settings, { apply: true }, deps)).kind, 'swapped')
  })

  test('is one of a hundred at most, the newest', async (t) => {
    const { home, settings } = await makeMachine(t, { url: 'http://127.0.0.1:1' })
    let state = loadState(home, settings.root, assert.fail)
    for (let index = 0; index <= APPROVALS_MAX; index += 1)
      state = withApproved(state, { sha256: String(index).padStart(64, '0'), version: '1.0.1', at: 'x' })
    state = withApproved(state, { sha256: '7'.padStart(64, '0'), version: '1.0.1', at: 'later' })
    assert.equal(state.approved?.length, APPROVALS_MAX)
    assert.deepEqual([state.approved?.[0]?.sha256, state.approved?.at(-1)?.at], ['1'.padStart(64, '0'), 'later'])
  })
})

describe('the policy of a host', BOUNDED, () => {
  test('holds an update until a window opens, and explains until when', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, deps } = await makeMachine(t, host)
    const time = (ms: number): string => formatDate(ms).slice(11, 16)
    const HOUR_MS = 3_600_000
    const windows = [{ start: time(NOW + 2 * HOUR_MS), end: time(NOW + 3 * HOUR_MS), timezone: 'UTC' }]
    const settings = settingsAt(home, host, { windows, percent: 100 })
    const opensMs = Math.floor((NOW + 2 * HOUR_MS) / 60_000) * 60_000
    const closed = await explainUpdate(settings, deps)
    assert.deepEqual(closed.windows, [{ ...windows[0], of: 'host', isOpen: false, opensAt: formatDate(opensMs) }])
    assert.ok(closed.decision.kind === 'wait' && closed.decision.reason === 'window')
    assert.equal(closed.decision.untilMs, opensMs)
    assert.equal((await checkOnce(settings, { apply: true }, deps)).kind, 'checked')
    const inside = { ...deps, clock: () => opensMs }
    assert.deepEqual((await explainUpdate(settings, inside)).windows, [{ ...windows[0], of: 'host', isOpen: true }])
    assert.equal((await checkOnce(settings, { apply: true }, inside)).kind, 'swapped')
    assert.equal((await explainUpdate(settings, inside)).isOnTrial, true)
  })

  test('keeps a host out of what goes beyond its percent', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, deps } = await makeMachine(t, host)
    const capped = await explainUpdate(settingsAt(home, host, { percent: 0 }), deps)
    assert.ok(capped.decision.kind === 'wait' && capped.decision.reason === 'stage')
    assert.deepEqual([capped.percentCap, capped.decision.percent], [0, 0])
    assert.equal((await explainUpdate(settingsAt(home, host, { percent: 100 }), deps)).decision.kind, 'install')
  })

  test('gives the staging of a version its time, and holds nothing against one that was too slow', async (t) => {
    const host = await startHost(t)
    const slow = Buffer.from('#!/bin/sh\nsleep 1\n')
    publish(host, { version: '1.0.1', artifact: slow })
    const machine = await makeMachine(t, host, { installTimeout: '100ms' })
    const error = await failureOf(() => machine.poll())
    assert.equal(error.code, 'ERR_STAGE_IO')
    assert.equal(error.message, 'not staged within 100ms: 1.0.1')
    assert.deepEqual(loadState(machine.home, machine.settings.root, assert.fail).quarantine, [])
    assert.deepEqual(fs.readdirSync(machine.home.versions), ['1.0.0'])
    const twin = await makeMachine(t, host, { installTimeout: '1m' })
    assert.equal((await twin.poll()).kind, 'swapped')
  })
})
