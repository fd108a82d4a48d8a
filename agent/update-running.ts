import { noteAvailable } from './report/available.ts'
import { lastFlags, toldFlags, writeFlags } from './report/flags-file.ts'
import { prepareHome } from './home/home.ts'
import { installedRecord, type LaunchRecord, readLaunchRecord, writeLaunchRecord } from './home/launch-record.ts'
import { programOf } from './home/receipt.ts'
import type { Settings } from './settings/settings.ts'
import type { Environment } from './settings/settings-environment.ts'
import { settle } from './trial/settle.ts'
import { updateRole } from './settings/update-role.ts'
import { update, type UpdateDeps, type UpdateResult } from './update.ts'

export interface RunningProgram {
  readonly version: string
  /** Whether the launcher started it. */
  readonly isLaunched: boolean
  readonly isOnTrial: boolean
  /** Whether another version is in place already and waits for the next start of the program. */
  readonly isReplaced?: boolean
}

/**
 * Whether the launcher started a program: it is what the record names, or what it was to replace. That runs when a try
 * could not be counted, say on a full disk, and MUST NOT pass for one that knows no launcher: it would never try again.
 *
 * @param env of the program, in which the launcher says what it started
 */
export function isLaunched(record: LaunchRecord, version: string, env: Environment): boolean {
  if (record.version === version) return true
  const isToldSo = env['MOULT_LAUNCHER'] === '1' && env['MOULT_VERSION'] === version
  return isToldSo && record.trial !== undefined && record.previous === version
}

/**
 * Takes note of the last trial before the first poll. The caller holds the lock. Where others bring the updates, nothing
 * needs to be installed here: then `version`, the program that asks, is what runs.
 *
 * @throws MoultError ERR_HOME_INVALID or ERR_STAGE_*
 */
export async function settleRunning(settings: Settings, version: string, deps: UpdateDeps): Promise<LaunchRecord> {
  const { home } = settings
  const isOwn = updateRole(settings).kind !== 'report' || installedRecord(home) !== undefined
  if (!isOwn) prepareHome(home)
  const record = isOwn ? await settle(settings, deps) : { version }
  writeFlags(home, lastFlags(settings, version))
  return record
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
  const { version, isLaunched, isOnTrial, isReplaced } = running
  const record = readLaunchRecord(home.current)
  const isCurrent = isLaunched && record?.version === version
  if (
    isLaunched &&
    !isCurrent &&
    !isReplaced &&
    record?.trial !== undefined &&
    (record.trial.started === 0 || record.previous === version) &&
    programOf(home, record.version) !== undefined
  ) {
    // Swapped by a command beside us, or by ourselves with an error after the fact, or the launcher could not count the
    // try: written once more, which makes sure of it, and shows that it can be counted now. Then it is started.
    writeLaunchRecord(home.disk, home.current, record)
    return { kind: 'swapped', version: record.version }
  }
  // On probation the next update has to wait, as it would take away the version to go back to. Something else than what
  // runs may not pass for it either: it has proved nothing here, or was just given up.
  const mayInstall = updateRole(settings).kind === 'install'
  const apply = mayInstall && settings.autoInstall && isCurrent && !isOnTrial
  // Where others bring the updates, what runs is what they brought, whatever this home holds.
  const result = await update(settings, { apply, program: version, ...(mayInstall ? {} : { running: version }) }, deps)
  noteAvailable(settings, result, version, deps)
  if (result.kind === 'checked') writeFlags(home, toldFlags(result.manifest, { ...result.facts, running: version }))
  return result
}
