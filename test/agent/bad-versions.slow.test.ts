// New versions that are signed, complete, and no good: each in its own way, under the supervisor of `moult agent run`.
// The shell launcher has the same table of states in launcher.test.ts.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import type { AgentEvent } from '../../agent/events/events.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import type { SettingsFile } from '../../agent/settings/settings-file.ts'
import { loadState } from '../../agent/home/state.ts'
import { supervise } from '../../agent/supervise.ts'
import { adopt, makeMachine, program, publish, settingsAt, startHost, waitFor } from './field.ts'

const STAYS = "trap 'kill $!; exit 0' TERM\nwhile :; do sleep 5 & wait $!; done"

/** Writes `ready`, which the health check looks for, and stays. */
const good = (ready: string): string => `: >'${ready}'\n${STAYS}`

interface Fate {
  readonly artifact: (ready: string) => Buffer
  readonly reason: string
  readonly settings?: Partial<SettingsFile>
}

const body = (text: string): Buffer => program('1.0.1', text)
const LONG = { probation: '30s' }
const UNTRIED = { preflight: [] }
const FATES: Record<string, Fate> = {
  'ends with 1 at once': { artifact: () => body('exit 1'), reason: 'tries' },
  'ends with 0 at once': { artifact: () => body('exit 0'), reason: 'tries' },
  'asks for an update that is not there, with 100': { artifact: () => body('exit 100'), reason: 'tries' },
  'dies of a segmentation fault': { artifact: () => body('kill -SEGV $$'), reason: 'tries' },
  'kills itself': { artifact: () => body('kill -KILL $$'), reason: 'tries' },
  'is healthy, and dies before the end of its probation': {
    artifact: (ready) => body(`: >'${ready}'\nsleep 1\nexit 1`),
    reason: 'tries',
    settings: LONG,
  },
  'hangs before it is ready': { artifact: () => body(STAYS), reason: 'health' },
  'is ready, and not any more': {
    artifact: (ready) => body(`: >'${ready}'\nsleep 4\nrm -f '${ready}'\n${STAYS}`),
    reason: 'health',
    settings: LONG,
  },
  'is no program': { artifact: () => Buffer.alloc(2000, 7), reason: 'tries', settings: UNTRIED },
  'needs an interpreter that is not there': {
    artifact: () => Buffer.from('#!/no/such/interpreter\n'),
    reason: 'tries',
    settings: UNTRIED,
  },
}

describe('a new version', { timeout: 240_000, concurrency: 5 }, () => {
  for (const [name, { artifact, reason, settings = {} }] of Object.entries(FATES)) {
    test(`case 79: that ${name} is given up for the one before, and case 82: is not tried again`, async (t) => {
      const host = await startHost(t)
      const { home } = await makeMachine(t, host)
      const ready = join(home.path, '../ready')
      await adopt(home, '1.0.0', good(ready))
      publish(host, { version: '1.0.1', sequence: 10, artifact: artifact(ready) })
      const events: AgentEvent[] = []
      const stop = new AbortController()
      const count = (kind: AgentEvent['kind'], version: string): number =>
        events.filter((event) => event.kind === kind && 'version' in event && event.version === version).length
      const health = { command: ['test', '-e', ready] }
      const overrides = { server: host.url, interval: '1s', probation: '2s', retries: 0, tries: 2, health, ...settings }
      const ended = supervise({
        settings: settingsAt(home, host, overrides),
        overrides,
        args: [],
        onEvent: (event) => {
          events.push(event)
          // Of each program for itself.
          if (event.kind === 'program-started') fs.rmSync(ready, { force: true })
        },
        signal: stop.signal,
        env: { PATH: process.env['PATH'] },
      })
      t.after(() => stop.abort())
      ended.catch(() => undefined)
      await waitFor(() => count('rolled-back', '1.0.1') === 1, `${name}: rolled back`, 60_000)
      const back = events.findIndex(({ kind }) => kind === 'rolled-back')
      const polls = (): AgentEvent[] => events.slice(back).filter(({ kind }) => kind === 'checked')
      await waitFor(() => polls().length >= 3, `${name}: three more polls`, 60_000)
      for (const poll of polls()) {
        assert.ok(poll.kind === 'checked' && poll.decision.kind === 'refuse')
        assert.equal(poll.decision.reason, 'quarantined')
      }
      assert.equal(count('swapped', '1.0.1'), 1)
      assert.equal(count('confirmed', '1.0.1'), 0)
      assert.ok(count('program-started', '1.0.1') <= 2)
      assert.deepEqual(readLaunchRecord(home.current), { version: '1.0.0' })
      const { quarantine } = loadState(home, settingsAt(home, host).root, assert.fail)
      assert.deepEqual(
        quarantine.map((entry) => [entry.version, entry.reason]),
        [['1.0.1', reason]],
      )
      // The twin: the same version, built again.
      publish(host, { version: '1.0.1', sequence: 11, artifact: body(good(ready)) })
      await waitFor(() => count('swapped', '1.0.1') === 2, `${name}: the repaired one`, 60_000)
      stop.abort()
      assert.equal(await ended, 0)
    })
  }
})
