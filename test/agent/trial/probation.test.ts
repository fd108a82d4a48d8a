import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { type ProbationOptions, runProbation } from '../../../agent/trial/probation.ts'
import { BOUNDED } from '../field.ts'

function probation(options: Partial<ProbationOptions>): Promise<unknown> {
  return runProbation({
    durationMs: 200,
    deadlineMs: 1500,
    hasVerified: () => true,
    isVouchedFor: () => false,
    signal: new AbortController().signal,
    ...options,
  })
}

/** Gives the answers one after the other, then the last for ever. */
function healthOf(...answers: boolean[]): () => Promise<boolean> {
  return async () => (answers.length > 1 ? answers.shift() : answers[0]) === true
}

// The timers of a probation do not keep the process alive; the runner has nothing else to wait for.
const alive = setInterval(() => undefined, 1000)
after(() => clearInterval(alive))

describe('a probation', { ...BOUNDED, concurrency: true }, () => {
  test('is passed by staying up for its whole time', async () => {
    const started = performance.now()
    assert.deepEqual(await probation({}), { kind: 'healthy' })
    assert.ok(performance.now() - started >= 200)
  })

  test('is passed early by a version that vouches for itself, once it has polled', async () => {
    let polls = 0
    const hasVerified = (): boolean => (polls += 1) > 1
    assert.deepEqual(
      await probation({ durationMs: 60_000, deadlineMs: 120_000, isVouchedFor: () => true, hasVerified }),
      { kind: 'healthy' },
    )
    assert.ok(polls > 1)
  })

  test('is failed without a verified poll, though healthy and vouched for', async () => {
    const outcome = await probation({ hasVerified: () => false, isVouchedFor: () => true, health: healthOf(true) })
    assert.deepEqual(outcome, { kind: 'failed', reason: 'no-verified-poll' })
  })

  test('is failed by a version that was healthy and is not any more, at once', async () => {
    const health = healthOf(true, false)
    assert.deepEqual(await probation({ durationMs: 60_000, deadlineMs: 120_000, health }), {
      kind: 'failed',
      reason: 'health',
    })
  })

  test('is failed by a version that never becomes healthy', async () => {
    assert.deepEqual(await probation({ health: healthOf(false) }), { kind: 'failed', reason: 'health' })
    assert.deepEqual(await probation({ health: healthOf(false), isVouchedFor: () => true }), {
      kind: 'failed',
      reason: 'health',
    })
  })

  test('bears a slow start and single failures', async () => {
    const slow = healthOf(false, false, false, false, false, true)
    assert.deepEqual(
      await probation({ durationMs: 8000, deadlineMs: 60_000, isVouchedFor: () => true, health: slow }),
      { kind: 'healthy' },
    )
    const shaky = healthOf(true, false, false, true, false, false, true)
    assert.deepEqual(await probation({ durationMs: 400, deadlineMs: 60_000, health: shaky }), { kind: 'healthy' })
  })

  test('is not passed at a moment of failure', async () => {
    let asked = 0
    const health = async (): Promise<boolean> => (asked += 1) % 3 === 0
    const outcome = await probation({ durationMs: 20, deadlineMs: 60_000, health })
    assert.deepEqual(outcome, { kind: 'healthy' })
    assert.equal(asked % 3, 0)
  })

  test('case 83: is failed by health that comes and goes four times, and passed by health that does so three times', async () => {
    const flapping = (times: number): boolean[] => Array.from({ length: times }, () => [true, false]).flat()
    const long = { durationMs: 3000, deadlineMs: 60_000 }
    assert.deepEqual(await probation({ ...long, health: healthOf(...flapping(4), true) }), {
      kind: 'failed',
      reason: 'flapping',
    })
    assert.deepEqual(await probation({ ...long, health: healthOf(...flapping(3), true) }), { kind: 'healthy' })
  })

  test('case 83: is failed by health that was there for most of it and then is gone', async () => {
    const health = healthOf(...Array.from({ length: 12 }, () => true), false)
    const outcome = await probation({ durationMs: 1000, deadlineMs: 60_000, health })
    assert.deepEqual(outcome, { kind: 'failed', reason: 'health' })
  })

  test('ends when it is told to', async () => {
    await assert.rejects(probation({ durationMs: 60_000, deadlineMs: 60_000, signal: AbortSignal.timeout(50) }))
  })
})
