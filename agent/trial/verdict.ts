// How a trial ends: the new version is confirmed, or the one before it comes back. Each is one durable replacement.

import { compareVersions } from '../../manifests/index.ts'
import { checksOf, findProven } from './fallback.ts'
import type { Home } from '../home/home.ts'
import { type LaunchRecord, readLaunchRecord, writeLaunchRecord } from '../home/launch-record.ts'
import { readReceipt } from '../home/receipt.ts'
import type { Settings } from '../settings/settings.ts'
import { loadState, saveState } from '../home/state.ts'

/**
 * Ends the trial of the running version for good. The caller holds the lock.
 * @returns false when that version was not on trial
 * @throws MoultError ERR_STAGE_*; the trial then goes on
 */
export function confirmVersion(settings: Settings, version: string): boolean {
  const { home } = settings
  const record = readLaunchRecord(home.current)
  if (record?.trial === undefined || record.version !== version) return false
  raiseRollbackFloor(settings, version)
  const { trial: _, ...confirmed } = record
  // `current` first: after a crash in between the trial is over, and `confirmed` names an older version that proved
  // itself. The other way round a trial on its last try would roll a confirmed version back.
  writeLaunchRecord(home.disk, home.current, confirmed)
  writeLaunchRecord(home.disk, home.confirmed, confirmed)
  return true
}

/**
 * Makes the previous version what runs next, and marks `version` as failed. The caller holds the lock.
 * @param warn see `rollbackTarget`
 * @returns the version that comes back, or undefined when there is none that could run: then nothing changes
 * @throws MoultError ERR_STAGE_*
 */
export function rollBackVersion(
  home: Home,
  version: string,
  reason: string,
  warn?: (message: string) => void,
): string | undefined {
  const record = readLaunchRecord(home.current)
  if (record?.version !== version) return undefined
  const previous = rollbackTarget(home, record, warn)
  if (previous === undefined) return undefined
  writeLaunchRecord(home.disk, home.current, { version: previous, failed: { version, reason } })
  return previous
}

/**
 * The version that a failed trial, or a person, can go back to. Its files are hashed, as it may have rotted since it ran.
 * @param warn called for each version that is damaged and therefore none
 */
export function rollbackTarget(
  home: Home,
  record: LaunchRecord,
  warn: (message: string) => void = () => undefined,
): string | undefined {
  return findProven(home, record, checksOf(home, warn))
}

/** A confirmed release that names a `rollback_floor` may have changed the data: nothing below it is installed again. */
function raiseRollbackFloor(settings: Settings, version: string): void {
  const floor = readReceipt(settings.home, version)?.rollbackFloor
  if (floor === undefined) return
  const state = loadState(settings.home, settings.root, () => undefined)
  if (state.rollbackFloor !== undefined && compareVersions(floor, state.rollbackFloor) <= 0) return
  saveState(settings.home, { ...state, rollbackFloor: floor })
}
