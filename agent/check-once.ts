// One poll by a command, for cron jobs and for people: `moult agent check`.

import { statSync } from 'node:fs'

import { healthCheckOf } from './health.ts'
import { installedRecord } from './launch-record.ts'
import { withLock } from './lock.ts'
import { settle } from './settle.ts'
import type { Settings } from './settings.ts'
import { update, type UpdateDeps, type UpdateOptions, type UpdateResult } from './update.ts'
import { confirmVersion } from './verdict.ts'

/**
 * Settles the last trial, polls once, and with `apply` installs what the decision allows.
 *
 * A program that knows nothing of updates is confirmed here: when it is on trial, has run for the whole probation since
 * its last start, passes the health checks of the settings, and this poll has shown that updating still works.
 *
 * @throws MoultError
 */
export async function checkOnce(settings: Settings, options: UpdateOptions, deps: UpdateDeps): Promise<UpdateResult> {
  return withLock(settings.home, async () => {
    const record = settle(settings, deps)
    const isOnTrial = record.trial !== undefined
    const result = await update(settings, { apply: options.apply && !isOnTrial }, deps)
    if (options.apply && isOnTrial && hasServedProbation(settings, deps.clock()) && (await isHealthy(settings, deps))) {
      if (confirmVersion(settings, record.version)) deps.emit({ kind: 'confirmed', version: record.version })
    }
    return result
  })
}

async function isHealthy({ health }: Settings, { signal }: UpdateDeps): Promise<boolean> {
  const check = healthCheckOf(health)
  return check === undefined || check(signal ?? new AbortController().signal)
}

/** Every start of a version on trial replaces the launch record, so its age is the time that the program has run. */
function hasServedProbation({ home, probationMs }: Settings, now: number): boolean {
  const started = installedRecord(home)?.trial?.started ?? 0
  const startedMs = statSync(home.current, { throwIfNoEntry: false })?.mtimeMs ?? now
  return started > 0 && now - startedMs >= probationMs
}
