import assert from 'node:assert/strict'
import test from 'node:test'

import { EventSink } from '../../../agent/events/event-sink.ts'
import { type AgentEvent, isDetail } from '../../../agent/events/events.ts'
import { MoultError } from '../../../manifests/index.ts'

const HOUR_MS = 3_600_000
const upToDate = { kind: 'checked', decision: { kind: 'up-to-date', bucket: 0, percent: 100 }, sequence: 1 } as const
const failed = (code: 'ERR_TRUST_REPLAY' | 'ERR_TRUST_SIGNATURE'): AgentEvent => ({
  kind: 'check-failed',
  error: new MoultError(code, 'x'),
})

test('an old copy of the manifest is a detail at first, and an alarm when it has stayed for a day', () => {
  let nowMs = 0
  const loud: boolean[] = []
  const sink = new EventSink(
    (event) => void (event.kind === 'check-failed' && loud.push(!isDetail(event))),
    () => nowMs,
  )
  for (const hours of [0, 23, 25]) {
    nowMs = hours * HOUR_MS
    sink.emit(failed('ERR_TRUST_REPLAY'))
  }
  sink.emit(upToDate)
  sink.emit(failed('ERR_TRUST_REPLAY'))
  sink.emit(failed('ERR_TRUST_SIGNATURE'))
  assert.deepEqual(loud, [false, false, true, false, true])
})

test('a decision is news once', () => {
  const repeats: (boolean | undefined)[] = []
  const sink = new EventSink((event) => void (event.kind === 'checked' && repeats.push(event.isRepeat)))
  sink.emit(upToDate)
  sink.emit(upToDate)
  sink.emit({ ...upToDate, decision: { ...upToDate.decision, kind: 'wait', reason: 'paused', version: '1.0.1' } })
  assert.deepEqual(repeats, [false, true, false])
})

test('a listener that throws is not heard', () => {
  const sink = new EventSink(() => {
    throw new Error('the host has a defect')
  })
  sink.warn('this goes nowhere')
})
