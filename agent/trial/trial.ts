// The end of a trial, written down however often that takes: the home may be full or locked for a while.

import { setTimeout as sleep } from 'node:timers/promises'

import { isMoultError } from '../../manifests/index.ts'
import { runPostUpdate } from '../stage/hooks.ts'
import type { Home } from '../home/home.ts'
import type { LaunchRecord } from '../home/launch-record.ts'
import { withLock } from '../home/lock.ts'
import type { ProbationOutcome } from './probation.ts'
import type { Settings } from '../settings/settings.ts'
import type { UpdateDeps } from '../update.ts'
import { confirmVersion, rollBackVersion } from './verdict.ts'

/** `kept`: the version failed and goes on, as there is no other. `rolled-back`: another has to be started now. */
export type TrialEnd = 'confirmed' | 'rolled-back' | 'kept'

export interface TrialContext extends UpdateDeps {
  /** The version on trial. */
  readonly version: string
  readonly wait: (delayMs: number) => Promise<void>
  /** Aborted when the program stops: then nothing is tried any more. */
  readonly signal: AbortSignal
}

const LOCK_RETRY_MS = 200

/**
 * The release's own last step, before anything counts as the health of the new version.
 * @returns the end of the trial when that failed
 */
export async function finishUpdate(
  settings: Settings,
  record: LaunchRecord,
  context: TrialContext,
): Promise<TrialEnd | undefined> {
  const { home, intervalMs } = settings
  for (;;) {
    const run = (): Promise<boolean> => withLock(home, () => runPostUpdate(settings, record, context))
    const isDone = await attempt(run, intervalMs, context)
    if (isDone === true || context.signal.aborted) return undefined
    if (isDone === false) return endTrial(settings, { kind: 'failed', reason: 'post-hook' }, context)
    await context.wait(intervalMs)
  }
}

/** @returns undefined when the program was stopped before the end was written */
export async function endTrial(
  settings: Settings,
  outcome: ProbationOutcome,
  context: TrialContext,
): Promise<TrialEnd | undefined> {
  const { home, intervalMs } = settings
  for (;;) {
    const end =
      outcome.kind === 'healthy'
        ? await attempt(() => confirm(settings, context), intervalMs, context)
        : await giveUp(home, outcome.reason, intervalMs, context)
    if (end !== undefined || context.signal.aborted) return end
    await context.wait(intervalMs)
  }
}

/**
 * Goes back to the version before, if there is one.
 * @param nextMs when it is tried again, for the event that tells why it did not work
 * @returns undefined when it did not work now
 */
export async function giveUp(
  home: Home,
  reason: string,
  nextMs: number,
  context: TrialContext,
): Promise<TrialEnd | undefined> {
  const { version, emit } = context
  const goBack = async (): Promise<TrialEnd> => {
    const warn = (message: string): void => emit({ kind: 'warning', message })
    const to = await withLock(home, async () => rollBackVersion(home, version, reason, warn))
    if (to !== undefined) return 'rolled-back'
    const message = `version ${version} failed its probation (${reason}), and there is no other to go back to`
    emit({ kind: 'warning', message })
    return 'kept'
  }
  return attempt(goBack, nextMs, context)
}

async function confirm(settings: Settings, { version, emit }: TrialContext): Promise<TrialEnd> {
  if (await withLock(settings.home, async () => confirmVersion(settings, version))) emit({ kind: 'confirmed', version })
  return 'confirmed'
}

async function attempt<T>(
  work: () => Promise<T>,
  nextMs: number,
  { emit, signal }: TrialContext,
): Promise<T | undefined> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted) return undefined
      if (!isMoultError(error) || error.code !== 'ERR_LOCK_HELD') {
        emit({ kind: 'check-failed', error, nextMs })
        return undefined
      }
      // The lock is held by a poll of our own for moments only.
      await sleep(LOCK_RETRY_MS)
    }
  }
}
