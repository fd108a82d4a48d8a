// Which regions two files have, whatever kind of executable they are, or whatever executables a tar has in it.

import { createHash } from 'node:crypto'
import { readElfRegions } from './elf-sections.ts'
import { REGION_KINDS, type Region } from './executable-map.ts'
import { readMachRegions } from './mach-sections.ts'
import { ADDRESS_MAX, REGIONS_MAX, SPARE_MAX_BYTES } from './patch-layout.ts'
import { readPeRegions } from './pe-sections.ts'
import { readTarMembers } from './tar-members.ts'

const READERS = [readElfRegions, readMachRegions, readPeRegions]
const MEMBER_MIN_BYTES = 4096

/** `stretches` of the new file are executables, in order; all of a file that is one itself. */
export type PairRegions = { old: Region[]; fresh: Region[]; stretches: { start: number; end: number }[] }

/** The regions of both files; undefined when there is no executable of a known kind with sound headers in both. */
export function readRegions(old: Uint8Array, fresh: Uint8Array): PairRegions | undefined {
  const oldTar = readTarMembers(old)
  const newTar = readTarMembers(fresh)
  if (oldTar !== undefined && newTar !== undefined) {
    const oldFound = oldTar.flatMap((member) => readMember(old, member))
    const newFound = newTar.flatMap((member) => readMember(fresh, member))
    // What did not change needs no prediction.
    const oldDigests = new Set(oldFound.map((found) => found.digest))
    const newDigests = new Set(newFound.map((found) => found.digest))
    const oldParts = largest(oldFound.filter((found) => !newDigests.has(found.digest)))
    const newParts = largest(newFound.filter((found) => !oldDigests.has(found.digest)))
    if (oldParts.length === 0 || newParts.length === 0) return undefined
    const stretches = newParts.map(({ start, end }) => ({ start, end }))
    return { old: joinImages(oldParts), fresh: joinImages(newParts), stretches }
  }
  const oldRegions = readExecutable(old)
  const newRegions = oldRegions === undefined ? undefined : readExecutable(fresh)
  if (oldRegions === undefined || newRegions === undefined) return undefined
  if (oldRegions.length > REGIONS_MAX || newRegions.length > REGIONS_MAX) return undefined
  return { old: oldRegions, fresh: newRegions, stretches: [{ start: 0, end: fresh.length }] }
}

type Executable = { start: number; end: number; regions: Region[]; digest: string }

function readMember(file: Uint8Array, { start, end }: { start: number; end: number }): Executable[] {
  if (end - start < MEMBER_MIN_BYTES) return []
  const bytes = file.subarray(start, end)
  const regions = readExecutable(bytes)
  if (regions === undefined) return []
  for (const region of regions) {
    region.start += start
    region.end += start
    if (region.kind === REGION_KINDS.pageHashes) region.address += start
  }
  return [{ start, end, regions, digest: createHash('sha256').update(bytes).digest('hex') }]
}

/** As many executables as the format has regions for, in order of the file. */
function largest(found: readonly Executable[]): Executable[] {
  let count = 0
  return found
    .toSorted((a, b) => b.end - b.start - (a.end - a.start))
    .filter(({ regions }) => (count += regions.length) <= REGIONS_MAX)
    .toSorted((a, b) => a.start - b.start)
}

function joinImages(parts: readonly Executable[]): Region[] {
  let images = 0
  return parts.flatMap(({ regions }) => {
    const first = images
    for (const region of regions) region.image += first
    images = (regions.at(-1)?.image ?? first) + 1
    return regions
  })
}

/** The regions in order of the file; undefined for what is no executable of a known kind, or has broken headers. */
export function readExecutable(file: Uint8Array): Region[] | undefined {
  for (const read of READERS) {
    let regions: Region[] | undefined
    try {
      regions = read(file)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
    if (regions !== undefined && regions.length > 0) return withoutOverlaps(regions.map(withinBounds))
  }
  return undefined
}

/** Broken headers may say what the format cannot tell. */
function withinBounds(region: Region): Region {
  const address = region.address < ADDRESS_MAX / 2 ? region.address : -1
  const spare = address < 0 || region.spare > SPARE_MAX_BYTES / 16 ? 0 : region.spare
  return { ...region, address, spare }
}

function withoutOverlaps(regions: Region[]): Region[] {
  let reached = 0
  return regions
    .sort((a, b) => a.start - b.start || a.end - b.end)
    .filter((region) => {
      if (region.start < reached) return false
      reached = region.end
      return true
    })
}
