import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'

import { MemoryBudget } from '../../../release/deltas/memory-budget.ts'

/** A job that ends when it is told to. */
function jobsOn(budget: MemoryBudget): {
  readonly begin: (name: string, bytes: number) => Promise<void>
  readonly end: (name: string) => void
  readonly running: Set<string>
} {
  const running = new Set<string>()
  const ends = new Map<string, () => void>()
  return {
    running,
    end: (name) => ends.get(name)?.(),
    begin: (name, bytes) =>
      budget.use(bytes, async () => {
        running.add(name)
        await new Promise<void>((resolve) => ends.set(name, resolve))
        running.delete(name)
      }),
  }
}

test('jobs run together as long as they fit, and the others in their order', async () => {
  const { begin, end, running } = jobsOn(new MemoryBudget(100))
  const all = [begin('a', 60), begin('b', 40), begin('c', 50), begin('d', 10)]
  await setImmediate()
  assert.deepEqual([...running], ['a', 'b'])
  end('b')
  await setImmediate()
  // Small ones do not overtake: a large one would never get its turn.
  assert.deepEqual([...running], ['a'])
  end('a')
  await setImmediate()
  assert.deepEqual([...running], ['c', 'd'])
  end('c')
  end('d')
  await Promise.all(all)
})

test('a job that fails gives back what it held', async () => {
  const budget = new MemoryBudget(10)
  await assert.rejects(
    budget.use(10, () => Promise.reject(new Error('broken'))),
    /broken/,
  )
  assert.equal(await budget.use(10, () => Promise.resolve('ran')), 'ran')
  assert.deepEqual([budget.fits(10), budget.fits(11)], [true, false])
})
