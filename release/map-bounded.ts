import { availableParallelism } from 'node:os'

import type { Surroundings } from './surroundings.ts'

/**
 * Maps in parallel within a bound and keeps the order. When one fails, the signal that the others got is aborted, they
 * are waited for (a compiler must not write on into a removed folder), and the first failure is thrown.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  bound: number | undefined,
  around: Surroundings,
  work: (item: T, inner: Surroundings) => Promise<R>,
): Promise<R[]> {
  const stop = new AbortController()
  const inner = { ...around, signal: AbortSignal.any([around.signal, stop.signal]) }
  const results: R[] = []
  const failures: unknown[] = []
  const queue = items.entries()
  const runner = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (inner.signal.aborted) return
      try {
        results[index] = await work(item, inner)
      } catch (error) {
        failures.push(error)
        stop.abort()
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(bound ?? availableParallelism(), items.length) }, runner))
  if (failures.length > 0) throw failures[0]
  around.signal.throwIfAborted()
  return results
}
