import { syncDirectory } from './durable-file.ts'
import { readLaunchRecord } from './launch-record.ts'
import { programOf } from './receipt.ts'
import type { Settings } from './settings.ts'
import { update, type UpdateDeps, type UpdateResult } from './update.ts'

export interface RunningProgram {
  readonly version: string
  /** Whether the launcher started it: what runs was what the launch record named. */
  readonly isLaunched: boolean
  readonly isOnTrial: boolean
}

/**
 * One poll on behalf of the program that runs. The caller holds the lock.
 * @throws MoultError as `update` does
 */
export async function updateRunning(
  settings: Settings,
  running: RunningProgram,
  deps: UpdateDeps,
): Promise<UpdateResult> {
  const { home } = settings
  const { version, isLaunched, isOnTrial } = running
  const record = readLaunchRecord(home.current)
  const isCurrent = isLaunched && record?.version === version
  if (isLaunched && !isCurrent && record?.trial?.started === 0 && programOf(home, record.version) !== undefined) {
    // Swapped by a command beside us, or by ourselves with an error after the fact: made sure of, and started.
    syncDirectory(home.path)
    return { kind: 'swapped', version: record.version }
  }
  // On probation the next update has to wait, as it would take away the version to go back to. Something else than what
  // runs may not pass for it either: it has proved nothing here, or was just given up.
  return update(settings, { apply: settings.autoInstall && isCurrent && !isOnTrial }, deps)
}
