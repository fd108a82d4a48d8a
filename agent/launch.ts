// What the shell launcher does, for the supervisor and for systems without a shell: choose what runs, and count the try
// of a version on trial durably before it runs. One table of tests holds the two equal.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { MoultError } from '../manifests/index.ts'
import { type Home, versionDirectory } from './home.ts'
import { type LaunchRecord, readLaunchRecord, writeLaunchRecord } from './launch-record.ts'
import { programOf, RECEIPT_NAME } from './receipt.ts'

export interface Launch {
  readonly version: string
  /** Path of the program. */
  readonly program: string
  /** Which try this is, on probation. */
  readonly trial?: number
}

/**
 * @param warn called for everything that is out of the ordinary
 * @throws MoultError ERR_HOME_INVALID when nothing on this machine can be run
 */
export function prepareLaunch(home: Home, warn: (message: string) => void): Launch {
  const record = readLaunchRecord(home.current)
  const chosen = record === undefined ? undefined : fromRecord(home, record, warn)
  return chosen ?? fallBack(home, record?.previous, warn)
}

function fromRecord(home: Home, record: LaunchRecord, warn: (message: string) => void): Launch | undefined {
  const { version, previous, trial } = record
  const own = launchOf(home, version)
  if (trial === undefined) return own
  const before = previous === undefined ? undefined : launchOf(home, previous)
  const started = trial.started + 1
  const isSpent = own === undefined || trial.started >= trial.tries
  if (isSpent && before !== undefined) {
    const failed = { version, reason: own === undefined ? 'missing' : 'tries' }
    tryWrite(home, { version: before.version, failed }, warn)
    warn(`rolled back from ${version} to ${before.version}`)
    return before
  }
  if (isSpent) {
    if (own === undefined) return undefined
    warn(`version ${version} failed its trial and goes on: there is no other to go back to`)
    return { ...own, trial: started }
  }
  if (tryWrite(home, { ...record, trial: { ...trial, started } }, warn)) return { ...own, trial: started }
  // A try that cannot be counted could repeat for ever.
  return before ?? { ...own, trial: started }
}

/**
 * The record of what runs. One that is damaged, or names a version that is gone, is put right on the disk: the launcher
 * falls back at each start but leaves the record alone, and the version that it names would pass for the one that runs.
 *
 * @returns undefined when nothing on this machine can be run
 * @throws MoultError ERR_STAGE_*
 */
export function repairRecord(home: Home, warn: (message: string) => void): LaunchRecord | undefined {
  const record = readLaunchRecord(home.current)
  if (record !== undefined && launchOf(home, record.version) !== undefined) return record
  const launch = findFallback(home, record?.previous)
  if (launch === undefined) return undefined
  const missing = record?.trial === undefined ? undefined : { version: record.version, reason: 'missing' }
  const failed = missing ?? record?.failed
  const repaired = { version: launch.version, ...(failed === undefined ? {} : { failed }) }
  writeLaunchRecord(home.current, repaired)
  warn(`the launch record was damaged or its version missing: it names ${launch.version} now`)
  return repaired
}

function fallBack(home: Home, previous: string | undefined, warn: (message: string) => void): Launch {
  const launch = findFallback(home, previous)
  if (launch !== undefined) {
    warn(`the launch record is damaged or its version is missing: falling back to ${launch.version}`)
    return launch
  }
  throw new MoultError('ERR_HOME_INVALID', `nothing to run in ${home.path}`, {
    hint: 'Run `moult agent install --home <dir> --server <url> --root <root.json>`.',
  })
}

function findFallback(home: Home, previous: string | undefined): Launch | undefined {
  for (const version of [previous, readLaunchRecord(home.confirmed)?.version, ...versionsByAge(home)]) {
    const launch = version === undefined ? undefined : launchOf(home, version)
    if (launch !== undefined) return launch
  }
  return undefined
}

function launchOf(home: Home, version: string): Launch | undefined {
  const program = programOf(home, version)
  return program === undefined ? undefined : { version, program }
}

function tryWrite(home: Home, record: LaunchRecord, warn: (message: string) => void): boolean {
  try {
    writeLaunchRecord(home.current, record)
    return true
  } catch (error) {
    warn(`the launch record cannot be written: ${(error as Error).message}`)
    return false
  }
}

/** Installed versions, the latest first. */
function versionsByAge(home: Home): string[] {
  const bornAt = (version: string): number =>
    statSync(join(versionDirectory(home, version), RECEIPT_NAME), { throwIfNoEntry: false })?.mtimeMs ?? 0
  try {
    return readdirSync(home.versions).toSorted((a, b) => bornAt(b) - bornAt(a))
  } catch {
    return []
  }
}
