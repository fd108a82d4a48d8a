// Which installed version can stand in for another. The same order and the same checks as in the shell launcher.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { compareVersions } from '../../manifests/index.ts'
import { type Home, versionDirectory } from '../home/home.ts'
import { type LaunchRecord, readLaunchRecord } from '../home/launch-record.ts'
import { programOf, readReceipt, RECEIPT_NAME } from '../home/receipt.ts'
import { isIntact } from '../home/sums.ts'

type Check = (version: string) => boolean

/** The checks of one decision: each version is hashed once at most, and damage is told once. */
export interface Checks {
  /** Whether it can be started. */
  readonly isUsable: Check
  /** Whether it can be started and its files are those that were installed. */
  readonly isWhole: Check
}

export function checksOf(home: Home, warn: (message: string) => void): Checks {
  const known = new Map<string, boolean>()
  const isUsable: Check = (version) => programOf(home, version) !== undefined
  const isWhole: Check = (version) => {
    if (!isUsable(version)) return false
    const found = known.get(version) ?? isIntact(home, version)
    if (!found && !known.has(version))
      warn(`version ${version} is damaged: its files are not those that were installed`)
    known.set(version, found)
    return found
  }
  return { isUsable, isWhole }
}

/**
 * The version to go back to from the one that the record names: one that was confirmed before it, and is whole. One
 * below the rollback floor of a release that has run may not understand its data, and is none.
 */
export function findProven(home: Home, record: LaunchRecord, { isWhole }: Checks): string | undefined {
  const confirmed = readLaunchRecord(home.confirmed)
  let limit: string | undefined
  for (const version of [record.previous, confirmed?.version, confirmed?.previous]) {
    if (version === undefined || version === record.version) continue
    if (limit !== undefined && compareVersions(version, limit) < 0) continue
    if (isWhole(version)) return version
    const floor = readReceipt(home, version)?.rollbackFloor
    if (floor !== undefined && (limit === undefined || compareVersions(floor, limit) > 0)) limit = floor
  }
  return undefined
}

/** What comes closest to a version that is lost: of the whole ones, or else of those that can be started at all. */
export function findClosest(home: Home, record: LaunchRecord | undefined, checks: Checks): string | undefined {
  const named = [record?.previous, readLaunchRecord(home.confirmed)?.version]
  const candidates = [...named, ...versionsByAge(home)].filter((version) => version !== undefined)
  return candidates.find(checks.isWhole) ?? candidates.find(checks.isUsable)
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
