import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { isVersion } from '../manifests/index.ts'
import { type Home, versionDirectory } from './home.ts'
import { readLaunchRecord } from './launch-record.ts'
import { readReceipt } from './receipt.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** However young they are: a fleet that is updated all day must not fill its disks. */
const VERSIONS_MAX = 10
const PARTIAL_MAX_MS = 7 * DAY_MS

/**
 * Removes what nothing needs: versions beyond the newest `keepVersions` that are older than `keepDays`, those that were
 * given up, and the rests of interrupted work. Versions that a launch record names always stay.
 *
 * @param now milliseconds since 1970
 */
export function cleanHome(
  home: Home,
  keep: { versions: number; days: number; failed?: string | undefined },
  now: number,
): void {
  const records = [readLaunchRecord(home.current), readLaunchRecord(home.confirmed)]
  const inUse = new Set(records.flatMap((record) => [record?.version, record?.previous]))
  const installed = names(home.versions)
    .map((version) => ({
      version,
      path: versionDirectory(home, version),
      bornMs: bornAt(versionDirectory(home, version)),
    }))
    .toSorted((a, b) => b.bornMs - a.bornMs)
  for (const [rank, { version, path, bornMs }] of installed.entries()) {
    if (inUse.has(version)) continue
    const isWhole = isVersion(version) && readReceipt(home, version) !== undefined && version !== keep.failed
    const isKept = isWhole && rank < VERSIONS_MAX && (rank < keep.versions || now - bornMs < keep.days * DAY_MS)
    if (!isKept) rmSync(path, { recursive: true, force: true })
  }
  for (const name of names(home.staging)) {
    const path = join(home.staging, name)
    if (!name.endsWith('.partial') || now - bornAt(path) > PARTIAL_MAX_MS)
      rmSync(path, { recursive: true, force: true })
  }
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function bornAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
