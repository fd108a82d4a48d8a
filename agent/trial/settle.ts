// The first thing an updater does after a start: it takes note of how the last trial ended, and tidies up.

import { formatDate, MoultError } from '../../manifests/index.ts'
import { prepareHome } from '../home/home.ts'
import { repairRecord } from './launch.ts'
import { type LaunchRecord, readLaunchRecord, writeLaunchRecord } from '../home/launch-record.ts'
import { readReceipt } from '../home/receipt.ts'
import { cleanHome } from '../home/retention.ts'
import type { Settings } from '../settings/settings.ts'
import { loadState, quarantinedAt, saveState, withQuarantined } from '../home/state.ts'
import type { UpdateDeps } from '../update.ts'

/**
 * The caller holds the lock. Running it twice changes nothing more.
 * @returns the record of what runs
 * @throws MoultError ERR_HOME_INVALID or ERR_STAGE_*
 */
export async function settle(settings: Settings, deps: UpdateDeps): Promise<LaunchRecord> {
  const { home } = settings
  prepareHome(home)
  const warn = (message: string): void => deps.emit({ kind: 'warning', message })
  const record = repairRecord(home, warn)
  if (record === undefined) {
    throw new MoultError('ERR_HOME_INVALID', `nothing is installed in ${home.path}`, {
      hint: 'Run `moult agent install --home <dir> --server <url> --root <root.json>` first.',
    })
  }
  const settled = record.failed === undefined ? record : quarantineFailed(settings, record, record.failed, deps)
  if (settled.trial === undefined && readLaunchRecord(home.confirmed)?.version !== settled.version) {
    writeLaunchRecord(home.disk, home.confirmed, settled)
  }
  const keep = { versions: settings.keepVersions, days: settings.keepDays, failed: record.failed?.version }
  try {
    const quarantine = quarantinedAt(loadState(home, settings.root, warn), deps.clock())
    await cleanHome(home, { ...keep, quarantine }, deps.clock())
  } catch (error) {
    // A rest that cannot be removed takes room, no more: it must not hold up the next update for ever.
    warn(`cannot tidy up: ${(error as Error).message}`)
  }
  return settled
}

function quarantineFailed(
  settings: Settings,
  record: LaunchRecord,
  failed: NonNullable<LaunchRecord['failed']>,
  deps: UpdateDeps,
): LaunchRecord {
  const { home } = settings
  const receipt = readReceipt(home, failed.version)
  if (receipt !== undefined) {
    const state = loadState(home, settings.root, (message) => deps.emit({ kind: 'warning', message }))
    const at = formatDate(deps.clock())
    // The quarantine is durable before the record forgets the failure: a crash in between only repeats this step.
    saveState(
      home,
      withQuarantined(state, { sha256: receipt.sha256, version: failed.version, reason: failed.reason, at }),
    )
  }
  const { failed: _, ...settled } = record
  writeLaunchRecord(home.disk, home.current, settled)
  deps.emit({ kind: 'rolled-back', version: failed.version, to: record.version, reason: failed.reason })
  return settled
}
