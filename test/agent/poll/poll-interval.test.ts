import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { agentStatus } from '../../../agent/report/agent-status.ts'
import { pollIntervalMs } from '../../../agent/poll/poll-interval.ts'
import { PollDelays } from '../../../agent/poll/poll-delays.ts'
import { supervise } from '../../../agent/supervise.ts'
import { Updater } from '../../../agent/updater.ts'
import type { AgentEvent } from '../../../agent/events/events.ts'
import { MoultError } from '../../../manifests/index.ts'
import { adopt, BOUNDED, makeMachine, NOW, publish, startHost, waitFor } from '../field.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const failed = (retryAfterMs?: number) => ({
  kind: 'failed' as const,
  error: new MoultError(
    'ERR_NETWORK_STATUS',
    'status 503',
    retryAfterMs === undefined ? {} : { details: { retryAfterMs } },
  ),
})

describe('the poll interval', BOUNDED, () => {
  test('is that of the rollout where the owner of the machine has laid down none, within a minute and a day', () => {
    const byDefault = { intervalMs: 5 * MINUTE_MS, hasOwnInterval: false }
    for (const [proposed, expected] of [
      [undefined, 5 * MINUTE_MS],
      ['1h', 60 * MINUTE_MS],
      ['1m', MINUTE_MS],
      ['1s', MINUTE_MS],
      ['24h', DAY_MS],
      ['400d', DAY_MS],
    ] as const) {
      assert.equal(pollIntervalMs(byDefault, proposed), expected, proposed)
      assert.equal(pollIntervalMs({ intervalMs: 1000, hasOwnInterval: true }, proposed), 1000, proposed)
    }
  })

  test('takes effect after the poll that brought it, and grows with failures from there', () => {
    const terms = { intervalMs: 5 * MINUTE_MS }
    const delays = new PollDelays(terms, () => 0.5)
    assert.equal(delays.first(undefined, false), 2.5 * MINUTE_MS)
    assert.equal(delays.first(7, false), 7)
    terms.intervalMs = 60 * MINUTE_MS
    // One interval of before, and a part of the new one.
    assert.equal(delays.after(failed(), false), 35 * MINUTE_MS)
    assert.ok(delays.after(failed(), false) >= 60 * MINUTE_MS)
    assert.ok(delays.after(failed(150 * MINUTE_MS), false) >= 150 * MINUTE_MS)
    assert.ok(delays.after(failed(150 * MINUTE_MS), true) <= 10_000, 'on trial nothing puts it off')
  })

  test('of the rollout is told by events and by the status, and holds from the next start on', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', manifest: { rollout: { poll: '2h' } } })
    const machine = await makeMachine(t, host)
    const intervalsOf = async (settings: object): Promise<unknown[]> => {
      const events: AgentEvent[] = []
      const updater = new Updater({
        version: '1.0.0',
        home: machine.home.path,
        env: {},
        settings: { server: host.url, deployment: 'vm', ...settings },
        firstPollMs: 0,
        clock: () => NOW,
        onEvent: (event) => void events.push(event),
      })
      updater.start()
      await waitFor(() => events.some(({ kind }) => kind === 'checked'), 'a poll')
      await updater.stop()
      return events.flatMap((event) => ('intervalMs' in event ? [event.kind, event.intervalMs] : []))
    }
    assert.equal(agentStatus(machine.settings).intervalMs, 5 * MINUTE_MS)
    assert.deepEqual(await intervalsOf({}), ['started', 5 * MINUTE_MS, 'checked', 120 * MINUTE_MS])
    assert.deepEqual(await intervalsOf({}), ['started', 120 * MINUTE_MS, 'checked', 120 * MINUTE_MS])
    assert.equal(agentStatus(machine.settings).intervalMs, 120 * MINUTE_MS)
    await adopt(machine.home, '1.0.0', 'exec sleep 60')
    const stop = new AbortController()
    let supervised = 0
    const onEvent = (event: AgentEvent): void => {
      if (event.kind !== 'started') return
      supervised = event.intervalMs
      stop.abort()
    }
    const overrides = { server: host.url, deployment: 'vm' as const }
    await supervise({ settings: machine.settings, overrides, args: [], env: {}, signal: stop.signal, onEvent })
    assert.equal(supervised, 120 * MINUTE_MS)
    assert.deepEqual(await intervalsOf({ interval: '3m' }), ['started', 3 * MINUTE_MS, 'checked', 3 * MINUTE_MS])
  })
})
