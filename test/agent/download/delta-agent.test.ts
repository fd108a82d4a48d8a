// Deltas from the view of a whole agent: under the supervisor, with the updater inside, over a restart in the midst of it,
// and what the machine tells of it afterwards.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import type { AgentEvent } from '../../../agent/events/events.ts'
import { readLaunchRecord } from '../../../agent/home/launch-record.ts'
import { agentStatus } from '../../../agent/report/agent-status.ts'
import { supervise } from '../../../agent/supervise.ts'
import { startAgentProcess } from '../agent-process.ts'
import { sha256 } from '../../../manifests/index.ts'
import { adopt, BOUNDED, makeMachine, type Machine, program, settingsAt, startHost, waitFor } from '../field.ts'
import { readPrometheus } from '../prometheus-text.ts'
import { bodyOf, deltaUrl, publishDeltas } from './delta-offer.ts'

const DELTA = deltaUrl('1.0.1', '1.0.0')
/** Runs until it is stopped. */
const steady = (version: string): string =>
  `trap 'kill $! 2>/dev/null; exit 0' TERM; while :; do sleep 1 & wait $!; done\n${bodyOf(version)}`

interface Run {
  readonly events: AgentEvent[]
  readonly stop: () => Promise<number>
}

function run(t: TestContext, { home }: Machine, host: { url: string }): Run {
  const overrides = { server: host.url, interval: '1s', probation: '300ms', retries: 0 }
  const events: AgentEvent[] = []
  const stop = new AbortController()
  t.after(() => stop.abort())
  const ended = supervise({
    settings: settingsAt(home, host, overrides),
    overrides,
    args: [],
    onEvent: (event) => events.push(event),
    signal: stop.signal,
    env: { PATH: process.env['PATH'] },
  })
  ended.catch(() => undefined)
  return {
    events,
    stop: () => {
      stop.abort()
      return ended
    },
  }
}

const has = ({ events }: Run, kind: AgentEvent['kind']): boolean => events.some((event) => event.kind === kind)

describe('an agent', { ...BOUNDED, concurrency: true }, () => {
  test('under the supervisor updates itself by a delta, stopped in the midst of it, and says which way it came', async (t) => {
    const host = await startHost(t)
    const machine = await makeMachine(t, host)
    const { home } = machine
    await adopt(home, '1.0.0', steady('1.0.0'))
    const { patches } = publishDeltas(host, {
      version: '1.0.1',
      artifact: program('1.0.1', steady('1.0.1')),
      deltas: [{ from: program('1.0.0', steady('1.0.0')) }],
    })
    const [patch = Buffer.alloc(0)] = patches
    host.answer(DELTA, (_, response) => {
      response.writeHead(200, { 'content-length': patch.length })
      response.write(patch.subarray(0, 500))
    })
    const first = run(t, machine, host)
    const partial = join(home.staging, `${sha256(patch)}.partial`)
    await waitFor(() => fs.statSync(partial, { throwIfNoEntry: false })?.size === 500, 'half of the patch')
    assert.equal(await first.stop(), 0)
    host.serve(DELTA, patch)
    host.drain()
    const second = run(t, machine, host)
    await waitFor(() => has(second, 'confirmed'), 'the new version is confirmed')
    assert.equal(await second.stop(), 0)
    assert.ok(host.requests.includes(`${DELTA} bytes=500-`), host.requests.join(', '))
    assert.ok(!host.requests.some((path) => /^1\.0\.1\./.test(path)), host.requests.join(', '))
    assert.equal(readLaunchRecord(home.current)?.version, '1.0.1')

    const { history } = agentStatus(settingsAt(home, host))
    const swapped = history.find(({ kind }) => kind === 'swapped')
    assert.deepEqual([swapped?.source, swapped?.bytes], ['delta', patch.length])
    const figures = new Map(
      readPrometheus(fs.readFileSync(home.metrics, 'utf8')).map(({ name, value }) => [name, value]),
    )
    assert.deepEqual(
      ['moult_updates_total', 'moult_delta_updates_total', 'moult_download_failures_total'].map((name) =>
        figures.get(name),
      ),
      [1, 1, 0],
    )
  })

  test('with the updater inside falls back from a delta, and counts it', async (t) => {
    const host = await startHost(t)
    const machine = await makeMachine(t, host)
    const { home } = machine
    await adopt(home, '1.0.0', bodyOf('1.0.0'))
    publishDeltas(host, {
      version: '1.0.1',
      deltas: [{ from: program('1.0.0', bodyOf('1.0.0')), patch: Buffer.from('no patch') }],
    })
    const agent = startAgentProcess(t, machine)
    await agent.line(/"kind":"download-failed","source":"delta","error":"ERR_BYTES_ENCODING"/)
    await agent.line(/"kind":"downloaded","version":"1.0.1","source":"br"/)
    assert.equal((await agent.ended).code, 100)
    const kinds = agentStatus(settingsAt(home, host)).history.map(({ kind, source = '' }) => `${kind} ${source}`.trim())
    assert.deepEqual(kinds.slice(-2), ['download-failed delta', 'swapped br'])
    const figures = new Map(
      readPrometheus(fs.readFileSync(home.metrics, 'utf8')).map(({ name, value }) => [name, value]),
    )
    assert.deepEqual([figures.get('moult_delta_updates_total'), figures.get('moult_download_failures_total')], [0, 1])
  })
})
