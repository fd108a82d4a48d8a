// One poll by a command, for cron jobs and for people: `moult agent check`.

import { statSync } from 'node:fs'

import { healthCheckOf } from './health.ts'
import { noteCheck } from './last-check.ts'
import { installedRecord } from './launch-record.ts'
import { withLock } from './lock.ts'
import { settle } from './settle.ts'
import type { Settings } from './settings.ts'
import { update, type UpdateDeps, type UpdateOptions, type UpdateResult } from './update.ts'
import { confirmVersion, rollBackVersion } from './verdict.ts'

/**
 * Settles the last trial, polls once, and with `apply` installs what the decision allows.
 *
 * A program that knows nothing of updates is confirmed here: when it is on trial, has run for the whole probation since
 * its last start, passes the health checks of the settings, and this poll has shown that updating still works. One that
 * is still unhealthy at the deadline is rolled back.
 *
 * @throws MoultError
 */
export async function checkOnce(settings: Settings, options: UpdateOptions, deps: UpdateDeps): Promise<UpdateResult> {
  return withLock(settings.home, async () => {
    const record = settle(settings, deps)
    const isOnTrial = record.trial !== undefined
    const result = await noted(settings, deps, () => update(settings, { apply: options.apply && !isOnTrial }, deps))
    if (options.apply && isOnTrial) await judgeTrial(settings, record.version, deps)
    return result
  })
}

async function noted(settings: Settings, deps: UpdateDeps, check: () => Promise<UpdateResult>): Promise<UpdateResult> {
  try {
    const result = await check()
    noteCheck(settings.home, result, deps.clock())
    return result
  } catch (error) {
    noteCheck(settings.home, { kind: 'failed', error }, deps.clock())
    throw error
  }
}

async function judgeTrial(settings: Settings, version: string, deps: UpdateDeps): Promise<void> {
  const ranMs = timeOnTrialMs(settings, deps.clock())
  if (ranMs === undefined || ranMs < settings.probationMs) return
  if (await isHealthy(settings, deps)) {
    if (confirmVersion(settings, version)) deps.emit({ kind: 'confirmed', version })
    return
  }
  // It neither crashes nor recovers: nobody else would ever end this trial, and no update comes while it lasts.
  if (ranMs < settings.probationDeadlineMs) return
  if (rollBackVersion(settings.home, version, 'health') !== undefined) settle(settings, deps)
}

async function isHealthy({ health }: Settings, { signal }: UpdateDeps): Promise<boolean> {
  const check = healthCheckOf(health)
  return check === undefined || check(signal ?? new AbortController().signal)
}

/** Every start of a version on trial replaces the launch record, so its age is the time that the program has run. */
function timeOnTrialMs({ home }: Settings, now: number): number | undefined {
  const started = installedRecord(home)?.trial?.started ?? 0
  const startedMs = statSync(home.current, { throwIfNoEntry: false })?.mtimeMs
  return started > 0 && startedMs !== undefined ? now - startedMs : undefined
}
