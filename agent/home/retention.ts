import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

import { isVersion } from '../../manifests/index.ts'
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
export async function cleanHome(
  home: Home,
  keep: { versions: number; days: number; failed?: string | undefined; quarantine?: ReadonlySet<string> },
  now: number,
): Promise<void> {
  const records = [readLaunchRecord(home.current), readLaunchRecord(home.confirmed)]
  const inUse = new Set(records.flatMap((record) => [record?.version, record?.previous]))
  const installed = names(home.versions)
    .map((version) => ({ version, bornMs: bornAt(versionDirectory(home, version)) }))
    .toSorted((a, b) => b.bornMs - a.bornMs)
  // One that cannot go, such as a program that still runs on Windows, is no reason to keep the others.
  const failures: unknown[] = []
  const noteFailure = (error: unknown): void => void failures.push(error)
  for (const [rank, { version, bornMs }] of installed.entries()) {
    if (inUse.has(version)) continue
    const receipt = isVersion(version) ? readReceipt(home, version) : undefined
    // Also one that was given up before, and could not be removed then: the launcher would fall back to it.
    const isGivenUp = version === keep.failed || keep.quarantine?.has(receipt?.sha256 ?? '') === true
    const isWhole = receipt !== undefined && !isGivenUp
    const isKept = isWhole && rank < VERSIONS_MAX && (rank < keep.versions || now - bornMs < keep.days * DAY_MS)
    if (!isKept) await retire(home, version).catch(noteFailure)
  }
  for (const name of names(home.staging)) {
    const path = join(home.staging, name)
    if (!name.endsWith('.partial') || now - bornAt(path) > PARTIAL_MAX_MS)
      await home.disk.removeTree(path).catch(noteFailure)
  }
  // A lock that was being made at a crash. The one that is held is there by now, so nobody needs another.
  for (const name of names(home.path).filter((each) => each.startsWith(`${basename(home.lock)}.`)))
    await home.disk.removeTree(join(home.path, name)).catch(noteFailure)
  if (failures.length > 0) throw failures[0]
}

/**
 * Out of sight first, and durably: what is left of a version that is being removed MUST NOT pass for a whole one when
 * the launcher looks for something to fall back to.
 */
async function retire(home: Home, version: string): Promise<void> {
  const aside = join(home.staging, `${version}.old`)
  await home.disk.removeTree(aside)
  home.disk.rename(versionDirectory(home, version), aside)
  home.disk.syncDirectory(home.versions)
  await home.disk.removeTree(aside)
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
