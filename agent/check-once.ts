// One poll by a command, for cron jobs and for people: `moult agent check`.

import { statSync } from 'node:fs'

import { noteAvailable } from './report/available.ts'
import { lastFlags, writeFlags } from './report/flags-file.ts'
import { healthCheckOf } from './trial/health.ts'
import { runPostUpdate } from './stage/hooks.ts'
import { type Journal, withJournal } from './report/journal.ts'
import { installedRecord, type LaunchRecord } from './home/launch-record.ts'
import { withLock } from './home/lock.ts'
import { restartProgram } from './restart/restart-methods.ts'
import { settle } from './trial/settle.ts'
import type { Settings } from './settings/settings.ts'
import { noteClocks, ranSince, readMonotonic } from './trial/trial-clock.ts'
import { update, type UpdateDeps, type UpdateOptions, type UpdateResult } from './update.ts'
import { updateRole } from './settings/update-role.ts'
import { confirmVersion, rollBackVersion } from './trial/verdict.ts'

/** `isRestarted`: present when another version has to run now; whether its start was seen to. */
export type OnceResult = UpdateResult & { readonly isRestarted?: boolean }

/**
 * Settles the last trial, polls once, and with `apply` installs what the decision allows.
 *
 * A program that knows nothing of updates is confirmed here: when it is on trial, has run for the whole probation since
 * its last start, passes the health checks of the settings, and this poll has shown that updating still works. One that
 * is still unhealthy at the deadline is rolled back. Whatever has to be started after that, is started by the restart
 * method of the settings, if it is one for programs from outside.
 *
 * @throws MoultError
 */
export async function checkOnce(settings: Settings, options: UpdateOptions, own: UpdateDeps): Promise<OnceResult> {
  const { journal, deps } = withJournal(settings, own)
  const role = updateRole(settings)
  if (role.warning !== undefined) deps.emit({ kind: 'warning', message: role.warning })
  let isReplaced = false
  const giveUp: GiveUp = async (version, reason) => {
    if (rollBackVersion(settings.home, version, reason) === undefined) return false
    isReplaced = true
    await settle(settings, deps)
    return true
  }
  const restart = async (): Promise<boolean> => {
    const warn = (message: string): void => deps.emit({ kind: 'warning', message })
    return restartProgram(settings.restart, { name: settings.root.name, warn })
  }
  const check = async (): Promise<UpdateResult> => {
    const record = await settle(settings, deps)
    const isOnTrial = record.trial !== undefined
    if (options.apply && (await failsToFinish(settings, record, deps, giveUp)))
      return noted(journal, () => update(settings, { apply: false }, deps))
    const ranMs = options.apply ? timeOnTrialMs(settings, deps) : undefined
    const apply = options.apply && !isOnTrial && role.kind === 'install'
    const found = await noted(journal, () => update(settings, { apply }, deps))
    noteAvailable(settings, found, record.version, deps)
    if (isOnTrial) await judgeTrial(settings, record.version, { ranMs, giveUp }, deps)
    isReplaced ||= found.kind === 'swapped' && found.previous !== undefined
    noteFlags(settings, deps)
    return found
  }
  let result: UpdateResult
  try {
    result = await withLock(settings.home, check)
  } catch (error) {
    // What was given up has to end, whatever became of the poll: the next check sees no trial any more.
    if (isReplaced) await restart()
    throw error
  }
  return isReplaced ? { ...result, isRestarted: await restart() } : result
}

/** @returns whether another version has to be started */
type GiveUp = (version: string, reason: string) => Promise<boolean>

/** Runs the release's own last step once the version was started. @returns whether that failed, and it was rolled back */
async function failsToFinish(
  settings: Settings,
  record: LaunchRecord,
  deps: UpdateDeps,
  giveUp: GiveUp,
): Promise<boolean> {
  if (record.trial === undefined || record.trial.started === 0) return false
  if (await runPostUpdate(settings, record, deps)) return false
  return giveUp(record.version, 'post-hook')
}

/** For programs that know nothing of updates: what holds for the version that runs from here on. */
function noteFlags(settings: Settings, { emit }: UpdateDeps): void {
  const told = lastFlags(settings, installedRecord(settings.home)?.version)
  if (writeFlags(settings.home, told) && told !== undefined)
    emit({ kind: 'flags-changed', flags: told.flags, sequence: told.sequence })
}

async function noted(journal: Journal, check: () => Promise<UpdateResult>): Promise<UpdateResult> {
  try {
    const result = await check()
    journal.check(result)
    return result
  } catch (error) {
    journal.check({ kind: 'failed', error })
    throw error
  }
}

async function judgeTrial(
  settings: Settings,
  version: string,
  { ranMs, giveUp }: { ranMs: number | undefined; giveUp: GiveUp },
  deps: UpdateDeps,
): Promise<void> {
  if (ranMs === undefined || ranMs < settings.probationMs) return
  if (await isHealthy(settings, deps)) {
    if (confirmVersion(settings, version)) deps.emit({ kind: 'confirmed', version })
    return
  }
  // It neither crashes nor recovers: nobody else would ever end this trial, and no update comes while it lasts.
  if (ranMs >= settings.probationDeadlineMs) await giveUp(version, 'health')
}

async function isHealthy({ health }: Settings, { signal }: UpdateDeps): Promise<boolean> {
  const check = healthCheckOf(health)
  return check === undefined || check(signal ?? new AbortController().signal)
}

/**
 * Every start of a version on trial replaces the launch record, so its age is the time that the program has run. Asked at
 * each check that may change something, as the clocks have to be compared before a trial begins.
 */
function timeOnTrialMs({ home }: Settings, { clock, monotonic = readMonotonic }: UpdateDeps): number | undefined {
  const now = monotonic()
  const note = noteClocks(home, clock(), now)
  const started = installedRecord(home)?.trial?.started ?? 0
  const startedMs = statSync(home.current, { throwIfNoEntry: false })?.mtimeMs
  return started > 0 && startedMs !== undefined ? ranSince(startedMs, note, now) : undefined
}
