// What the shell launcher does, for the supervisor and for systems without a shell: choose what runs, and count the try
// of a version on trial durably before it runs. One table of tests holds the two equal.

import { MoultError } from '../../manifests/index.ts'
import { type Checks, checksOf, findClosest, findProven } from './fallback.ts'
import { type Home, restoreReplaced } from '../home/home.ts'
import { type LaunchRecord, readLaunchRecord, writeLaunchRecord } from '../home/launch-record.ts'
import { programOf } from '../home/receipt.ts'

export interface Launch {
  readonly version: string
  /** Path of the program. */
  readonly program: string
  /** Which try this is, on probation. */
  readonly trial?: number
}

/** What one choice is made from. */
interface Choice {
  readonly home: Home
  readonly checks: Checks
  readonly warn: (message: string) => void
}

type Fault = 'missing' | 'damaged' | 'tries'

/**
 * @param warn called for everything that is out of the ordinary
 * @throws MoultError ERR_HOME_INVALID when nothing on this machine can be run
 */
export function prepareLaunch(home: Home, warn: (message: string) => void): Launch {
  restoreReplaced(home)
  const choice = { home, checks: checksOf(home, warn), warn }
  const record = readLaunchRecord(home.current)
  const chosen = record === undefined ? undefined : fromRecord(choice, record)
  return chosen ?? fallBack(choice, record)
}

function fromRecord(choice: Choice, record: LaunchRecord): Launch | undefined {
  const { home, checks, warn } = choice
  const { version, trial } = record
  if (trial === undefined) return launchOf(home, version)
  const started = trial.started + 1
  const fault = faultOf(record, checks)
  if (fault === undefined && tryWrite(choice, { ...record, trial: { ...trial, started } }))
    return launchOf(home, version, started)
  const proven = findProven(home, record, checks)
  if (proven !== undefined) return fault === undefined ? launchOf(home, proven) : goBack(choice, record, proven, fault)
  if (fault === 'missing' || fault === 'damaged') return undefined
  if (fault === 'tries') warn(`version ${version} failed its trial and goes on: there is no other to go back to`)
  // Uncounted: that could repeat for ever, but something has to run.
  return launchOf(home, version, started)
}

/** Why a version on trial is not started any more. */
function faultOf({ version, trial }: LaunchRecord, { isUsable, isWhole }: Checks): Fault | undefined {
  if (trial === undefined) return undefined
  if (!isUsable(version)) return 'missing'
  if (!isWhole(version)) return 'damaged'
  return trial.started >= trial.tries ? 'tries' : undefined
}

function goBack(choice: Choice, { version }: LaunchRecord, to: string, reason: Fault): Launch | undefined {
  tryWrite(choice, { version: to, failed: { version, reason } })
  choice.warn(`rolled back from ${version} to ${to} (${reason})`)
  return launchOf(choice.home, to)
}

/** Any version is better than none, and a damaged one better than no agent. */
function fallBack(choice: Choice, record: LaunchRecord | undefined): Launch {
  const { home, checks, warn } = choice
  const version = findClosest(home, record, checks)
  const fault = record === undefined ? undefined : faultOf(record, checks)
  if (record !== undefined && version !== undefined && version !== record.version && fault !== undefined) {
    const launch = goBack(choice, record, version, fault)
    if (launch !== undefined) return launch
  }
  const launch = version === undefined ? undefined : launchOf(home, version)
  if (launch !== undefined) {
    warn(`the launch record is damaged or its version is missing: falling back to ${launch.version}`)
    return launch
  }
  throw new MoultError('ERR_HOME_INVALID', `nothing to run in ${home.path}`, {
    hint: 'Run `moult agent install --home <dir> --server <url> --root <root.json>`.',
  })
}

/**
 * The record of what runs. One that is damaged, or names a version that is gone, is put right on the disk: the launcher
 * falls back at each start but leaves the record alone, and the version that it names would pass for the one that runs.
 *
 * @returns undefined when nothing on this machine can be run
 * @throws MoultError ERR_STAGE_*
 */
export function repairRecord(home: Home, warn: (message: string) => void): LaunchRecord | undefined {
  const checks = checksOf(home, warn)
  const record = readLaunchRecord(home.current)
  if (record !== undefined && checks.isUsable(record.version)) return record
  const version = findClosest(home, record, checks)
  if (version === undefined) return undefined
  const missing = record?.trial === undefined ? undefined : { version: record.version, reason: 'missing' }
  const failed = missing ?? record?.failed
  const repaired = { version, ...(failed === undefined ? {} : { failed }) }
  writeLaunchRecord(home.disk, home.current, repaired)
  warn(`the launch record was damaged or its version missing: it names ${version} now`)
  return repaired
}

function launchOf(home: Home, version: string, trial?: number): Launch | undefined {
  const program = programOf(home, version)
  return program === undefined ? undefined : { version, program, ...(trial === undefined ? {} : { trial }) }
}

function tryWrite({ home, warn }: Choice, record: LaunchRecord): boolean {
  try {
    writeLaunchRecord(home.disk, home.current, record)
    return true
  } catch (error) {
    warn(`the launch record cannot be written: ${(error as Error).message}`)
    return false
  }
}
