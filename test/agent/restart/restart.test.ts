import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { drain } from '../../../agent/restart/restart.ts'
import { BOUNDED } from '../field.ts'

describe('draining before a restart', BOUNDED, () => {
  test('waits for the work of the agent', async () => {
    let isDone = false
    const work = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      isDone = true
    }
    await drain(work, 60_000)
    assert.ok(isDone)
  })

  test('is over when the work hangs, and holds nothing then', async () => {
    const hangs = new Promise<void>(() => undefined)
    const startedMs = performance.now()
    await drain(() => hangs, 100)
    assert.ok(performance.now() - startedMs >= 99)
  })

  test('is over when the work fails, at once or later, and when there is none', async () => {
    await drain(() => {
      throw new Error('at once')
    }, 60_000)
    await drain(() => Promise.reject(new Error('later')), 60_000)
    await drain(undefined)
  })
})
