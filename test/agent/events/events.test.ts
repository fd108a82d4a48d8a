import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { eventJson, eventText } from '../../../agent/events/event-lines.ts'
import { type AgentEvent, isDetail } from '../../../agent/events/events.ts'
import { EVENT_KINDS } from '../../../agent/report/history.ts'
import { MoultError } from '../../../manifests/index.ts'
import { failureOf, makeMachine, publish, startHost } from '../field.ts'

const position = { bucket: 5, percent: 10 }
const EVENTS: readonly [AgentEvent, RegExp][] = [
  [
    { kind: 'started', version: '1.0.0', url: 'http://x/', intervalMs: 300_000 },
    /1\.0\.0, polling http:\/\/x\/ every 5m/,
  ],
  [{ kind: 'checked', decision: { ...position, kind: 'up-to-date' }, sequence: 7 }, /Up to date \(sequence 7\)/],
  [
    {
      kind: 'checked',
      decision: { ...position, kind: 'wait', reason: 'stage', version: '2.0.0', untilMs: 0 },
      sequence: 7,
    },
    /Waiting with 2\.0\.0: stage, bucket 5 of 10000 at 10 % until 1970-01-01T00:00:00Z/,
  ],
  [
    {
      kind: 'checked',
      decision: { ...position, kind: 'refuse', reason: 'quarantined', version: '2.0.0' },
      sequence: 7,
    },
    /Not installing 2\.0\.0: quarantined/,
  ],
  [
    { kind: 'check-failed', error: new MoultError('ERR_NETWORK_TIMEOUT', 'too slow: x'), nextMs: 61_400 },
    /too slow: x \[ERR_NETWORK_TIMEOUT\]; next in 1m1s/,
  ],
  [
    { kind: 'update-found', version: '1.0.1', running: '1.0.0', reason: 'newer', bytes: 6_100_000 },
    /^Update found: 1\.0\.1\. .*newer, 6\.1 MB/,
  ],
  [
    { kind: 'update-found', version: '1.0.0', running: 'nothing', reason: 'first', bytes: 999 },
    /^Installing the first version: 1\.0\.0 \(999 B\)$/,
  ],
  [
    { kind: 'flags-changed', flags: { 'new-buffer': true, colour: 'blue' }, sequence: 7 },
    /^Flags: new-buffer=true, colour=blue$/,
  ],
  [{ kind: 'flags-changed', flags: {}, sequence: 8 }, /^Flags: none$/],
  [{ kind: 'download-progress', received: 999, total: 1000 }, /999 B of 1\.0 kB/],
  [{ kind: 'download-interrupted', attempt: 1, error: new Error('x') }, /attempt 1/],
  [{ kind: 'download-failed', source: 'br', error: new Error('x') }, /br/],
  [{ kind: 'downloaded', version: '1.0.1', source: 'delta', bytes: 1234 }, /^Downloaded: 1\.0\.1 \(delta, 1\.2 kB\)$/],
  [{ kind: 'staged', version: '1.0.1' }, /1\.0\.1/],
  [{ kind: 'swapped', version: '1.0.1', previous: '1.0.0' }, /1\.0\.1, keeping 1\.0\.0\. Restarting$/],
  [{ kind: 'swapped', version: '1.0.0' }, /^In place: 1\.0\.0$/],
  [{ kind: 'trial', version: '1.0.1', started: 1, tries: 3 }, /try 1 of 3/],
  [{ kind: 'confirmed', version: '1.0.1' }, /1\.0\.1/],
  [{ kind: 'hook-done', version: '1.0.1', hook: 'post_update', ms: 1500 }, /^Hook post_update of 1\.0\.1 ran in /],
  [
    { kind: 'hook-failed', version: '1.0.1', hook: 'post_update', error: new MoultError('ERR_STAGE_HOOK', 'sad: x') },
    /^Hook post_update of 1\.0\.1 failed: sad: x \[ERR_STAGE_HOOK\]$/,
  ],
  [{ kind: 'rolled-back', version: '1.0.1', to: '1.0.0', reason: 'tries' }, /1\.0\.1 \(tries\), running 1\.0\.0/],
  [{ kind: 'quarantined', version: '1.0.1', sha256: 'a', reason: 'preflight' }, /^Quarantined: 1\.0\.1 \(preflight\)/],
  [
    { kind: 'update-available', version: '1.0.1', reason: 'newer', image: 'r/x@sha256:0' },
    /1\.0\.1 \(newer\), image r\/x/,
  ],
  [{ kind: 'approved', version: '1.0.1', sha256: 'a' }, /^Approved: 1\.0\.1$/],
  [{ kind: 'program-started', version: '1.0.1', pid: 5 }, /process 5/],
  [{ kind: 'program-exited', version: '1.0.1', status: 'SIGKILL' }, /SIGKILL/],
  [{ kind: 'warning', message: 'careful' }, /careful/],
]

describe('an event', () => {
  test('of every kind stands in the table of this test', () => {
    assert.deepEqual(new Set(EVENTS.map(([{ kind }]) => kind)), new Set(EVENT_KINDS))
  })

  test('is one line for people and one line of JSON, with the time, for machines', () => {
    for (const [event, says] of EVENTS) {
      assert.match(eventText(event), says)
      assert.doesNotMatch(eventText(event), /\n|undefined|\[object/)
      const json = JSON.parse(eventJson(event, 0)) as Record<string, unknown>
      assert.equal(json['time'], '1970-01-01T00:00:00Z')
      assert.equal(json['kind'], event.kind)
    }
  })

  test('case 20: holds nothing of what a publisher wrote for people, which could forge a line of a log', async (t) => {
    const host = await startHost(t)
    const changelog = 'Better.\n2026-11-21T02:00:00Z forged line'
    publish(host, { version: '1.0.1', sequence: 10, manifest: { release: { changelog } } })
    const { events, poll } = await makeMachine(t, host)
    assert.equal((await poll()).kind, 'swapped')
    assert.ok(events.length > 3)
    for (const event of events) {
      assert.doesNotMatch(eventText(event), /\n|forged/)
      assert.doesNotMatch(eventJson(event, 0), /\n|forged/)
    }
    const escapes = changelog.replace('\n', '\u001b[2J')
    publish(host, { version: '1.0.2', sequence: 11, manifest: { release: { changelog: escapes } } })
    assert.equal((await failureOf(() => poll())).code, 'ERR_MANIFEST_SYNTAX')
  })

  test('carries an error with its code', () => {
    const json = eventJson({ kind: 'check-failed', error: new MoultError('ERR_STAGE_SPACE', 'full: /x') }, 0)
    assert.deepEqual((JSON.parse(json) as { error: unknown }).error, {
      code: 'ERR_STAGE_SPACE',
      message: 'full: /x',
      retryable: true,
    })
    assert.match(eventJson({ kind: 'check-failed', error: 'odd' }, 0), /ERR_BUG/)
  })

  test('is a detail when it only matters to who watches', () => {
    assert.deepEqual(
      EVENTS.filter(([event]) => isDetail(event)).map(([{ kind }]) => kind),
      ['download-progress', 'downloaded'],
    )
  })
})
