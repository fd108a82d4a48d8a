// The time after a swap in which the new version must prove itself. All times are monotonic: a clock that jumps neither
// shortens nor stretches a probation.

import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import type { HealthCheck } from './health.ts'

export interface ProbationOptions {
  /** How long the version must have run, unless the agent vouches for itself. */
  readonly durationMs: number
  /** When it is given up at the latest. */
  readonly deadlineMs: number
  readonly health?: HealthCheck | undefined
  /** True once this process has fetched and verified the manifest: an update that breaks updating must not stay. */
  readonly hasVerified: () => boolean
  /** True once the agent called `confirm()`. */
  readonly isVouchedFor: () => boolean
  readonly signal: AbortSignal
}

export type ProbationOutcome = { readonly kind: 'healthy' } | { readonly kind: 'failed'; readonly reason: string }

const FAILURES_MAX = 3
/** How often health may be lost and come back before that is a failure of its own. */
const FLAPS_MAX = 3
const STEP_MAX_MS = 1000
const STEPS_PER_PROBATION = 20

/** Waits for the outcome. Rejects only when `signal` is aborted. */
export async function runProbation(options: ProbationOptions): Promise<ProbationOutcome> {
  const { durationMs, deadlineMs, health, hasVerified, isVouchedFor, signal } = options
  const startedMs = performance.now()
  const stepMs = Math.max(20, Math.min(STEP_MAX_MS, durationMs / STEPS_PER_PROBATION))
  let failures = 0
  let flaps = 0
  let hasBeenHealthy = false
  let wasHealthy = false
  for (;;) {
    await sleep(stepMs, undefined, { signal, ref: false })
    const isHealthy = health === undefined || (await health(signal))
    signal.throwIfAborted()
    if (wasHealthy && !isHealthy) flaps += 1
    wasHealthy = isHealthy
    hasBeenHealthy ||= isHealthy
    const elapsedMs = performance.now() - startedMs
    // A program may take its time to come up: until it was healthy once, it has the whole probation for that.
    const isStarting = !hasBeenHealthy && elapsedMs < durationMs
    failures = isHealthy || isStarting ? 0 : failures + 1
    if (failures >= FAILURES_MAX) return { kind: 'failed', reason: 'health' }
    if (flaps > FLAPS_MAX) return { kind: 'failed', reason: 'flapping' }
    const hasProved = isVouchedFor() || elapsedMs >= durationMs
    if (hasProved && isHealthy && hasVerified()) return { kind: 'healthy' }
    if (elapsedMs >= deadlineMs) return { kind: 'failed', reason: hasVerified() ? 'health' : 'no-verified-poll' }
  }
}
