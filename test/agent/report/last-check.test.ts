import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { agentStatus } from '../../../agent/report/agent-status.ts'
import { homeAt } from '../../../agent/home/home.ts'
import { noteCheck, readLastCheck } from '../../../agent/report/last-check.ts'
import type { UpdateResult } from '../../../agent/update.ts'
import { MoultError } from '../../../manifests/index.ts'
import { makeDir, makeMachine, publish, startHost } from '../field.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const swapped: UpdateResult = { kind: 'swapped', version: '1.0.1' }
const failed = (error: unknown) => ({ kind: 'failed' as const, error })
const tooSlow = failed(new MoultError('ERR_NETWORK_TIMEOUT', 'too slow: x'))

describe('the last check', () => {
  test('is told with its time, its outcome and the code of its error', async (t) => {
    const host = await startHost(t)
    const machine = await makeMachine(t, host)
    assert.equal(agentStatus(machine.settings).lastCheck, undefined)
    const expires = '2027-01-01T00:00:00Z'
    publish(host, { version: '1.0.0', sequence: 10, manifest: { rollout: { expires } } })
    noteCheck(machine.home, await machine.poll(), NOON)
    const at = '2026-11-21T12:00:00Z'
    const known = { sequence: 10, expires }
    assert.deepEqual(agentStatus(machine.settings).lastCheck, { at, outcome: 'up-to-date', ...known, since: at })
    assert.equal(fs.statSync(machine.home.status).mode & 0o777, 0o600)
    noteCheck(machine.home, tooSlow, NOON + 1000)
    const later = '2026-11-21T12:00:01Z'
    assert.deepEqual(readLastCheck(machine.home), {
      at: later,
      outcome: 'failed',
      code: 'ERR_NETWORK_TIMEOUT',
      lastSuccess: at,
      ...known,
      since: later,
    })
    noteCheck(machine.home, failed(new MoultError('ERR_NETWORK_STATUS', 'odd')), NOON + 1500)
    assert.equal(readLastCheck(machine.home)?.lastSuccess, at, 'through failures of all kinds')
    noteCheck(machine.home, swapped, NOON + 2000)
    assert.deepEqual(readLastCheck(machine.home), {
      at: '2026-11-21T12:00:02Z',
      outcome: 'swapped',
      version: '1.0.1',
      ...known,
      since: '2026-11-21T12:00:02Z',
    })
  })

  test('tells what is offered and why it is not in place, and is news again when either changes', async (t) => {
    const host = await startHost(t)
    const machine = await makeMachine(t, host)
    const check = async (version: string, sequence: number, isPaused: boolean) => {
      const rollout = isPaused ? { paused: true } : { stages: [{ at: '2026-01-01T00:00:00Z', percent: 0 }] }
      publish(host, { version, sequence, manifest: { rollout } })
      const note = noteCheck(machine.home, await machine.poll(), NOON + sequence * 1000)
      const { available } = agentStatus(machine.settings)
      return [note?.isNews, available?.version, available?.reason, available?.since.slice(17, 19)]
    }
    assert.deepEqual(await check('1.0.1', 10, true), [true, '1.0.1', 'paused', '10'])
    assert.deepEqual(await check('1.0.1', 11, true), [false, '1.0.1', 'paused', '10'])
    assert.deepEqual(await check('1.0.1', 12, false), [true, '1.0.1', 'stage', '12'])
    assert.deepEqual(await check('1.0.2', 13, false), [true, '1.0.2', 'stage', '13'])
    assert.equal(readLastCheck(machine.home)?.sequence, 13)
  })

  test('that ended like the one before changes the time of the file alone', (t) => {
    const home = homeAt(makeDir(t))
    noteCheck(home, tooSlow, NOON)
    const { ino } = fs.statSync(home.status)
    noteCheck(home, tooSlow, NOON + 3_600_000)
    assert.equal(fs.statSync(home.status).ino, ino)
    const { at, since } = readLastCheck(home) ?? {}
    assert.deepEqual([since, at], ['2026-11-21T12:00:00Z', '2026-11-21T13:00:00Z'])
    assert.deepEqual(fs.readdirSync(home.path), ['status.json'])
  })

  test('is not one that never began, or was stopped', (t) => {
    const home = homeAt(makeDir(t))
    noteCheck(home, failed(new MoultError('ERR_LOCK_HELD', 'held')), NOON)
    noteCheck(home, failed(new DOMException('stopped', 'AbortError')), NOON)
    assert.equal(readLastCheck(home), undefined)
    noteCheck(home, failed(new TypeError('odd')), NOON)
    assert.equal(readLastCheck(home)?.code, 'ERR_BUG')
  })

  test('cannot fail, neither to write nor to read', (t) => {
    const home = homeAt(makeDir(t))
    noteCheck(homeAt(`${home.path}/absent`), swapped, NOON)
    for (const text of ['', '{', 'null', '[]', '{"at":1,"outcome":"failed"}', '{"at":"x","outcome":"odd"}']) {
      fs.writeFileSync(home.status, text)
      assert.equal(readLastCheck(home), undefined, text)
    }
    noteCheck(home, swapped, NOON)
    assert.equal(readLastCheck(home)?.outcome, 'swapped')
  })
})
