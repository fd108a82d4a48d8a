// Makes a patch: match, read addresses as places, match again, encode. Where that is cheap several ways are tried and
// the smallest result is kept.

import { canonicalise } from './canonical-bytes.ts'
import { CoverMap } from './cover-map.ts'
import { readRegions, type PairRegions } from './executable-headers.ts'
import { AddressSpace, type Region } from './executable-map.ts'
import type { MatchTuning, TuningAt } from './find-anchors.ts'
import { matchCovers } from './match-covers.ts'
import { outsideHashes } from './page-hashes.ts'
import { writeHeader } from './patch-header.ts'
import { codeCovers, codeRegions, type CoverList } from './patch-layout.ts'
import { PatchWalker } from './patch-walker.ts'
import { RangeEncoder, type ByteSource } from './range-coder.ts'
import { SortedStarts } from './sorted-starts.ts'

const CODE_TUNING: MatchTuning = { anchorMin: 20, coverMin: 15 }
const TEXT_TUNING: MatchTuning = { anchorMin: 32, coverMin: 30 }

/** Below this a patch is so small that what an executable's regions cost counts: the plain ways are tried too. */
const NEARLY_EQUAL_BYTES = 16384
/** Up to this, files that are no executables are matched in two ways. */
const TWO_WAYS_MAX_BYTES = 64 << 20

type Log = (line: string) => void
const asCode = (): MatchTuning => CODE_TUNING
const asText = (): MatchTuning => TEXT_TUNING

/** `log` is told the stages. Memory beside both files: about four times one of them, and 150 MB. Whoever publishes the
    patch applies it first and compares. */
export function createPatch(old: Uint8Array, fresh: Uint8Array, log: Log = () => {}): Uint8Array {
  const regions = readRegions(old, fresh)
  const found: Uint8Array[] = []
  if (regions !== undefined) {
    const covers = matchExecutables(old, fresh, regions, log)
    found.push(encodePatch(old, fresh, regions.old, regions.fresh, covers, log))
  }
  if (found.length === 0 || (found[0] as Uint8Array).length < NEARLY_EQUAL_BYTES) {
    found.push(encodePatch(old, fresh, [], [], matchCovers(old, fresh, asText), log))
    if (fresh.length <= TWO_WAYS_MAX_BYTES || Math.min(...found.map((patch) => patch.length)) < NEARLY_EQUAL_BYTES) {
      const rough = matchCovers(old, fresh, asCode)
      found.push(encodePatch(old, fresh, [], [], matchCovers(old, fresh, asCode, rough), log))
    }
  }
  return found.reduce((best, patch) => (patch.length < best.length ? patch : best))
}

/** First with every address blanked, which shows where things went; then with the old file's addresses mapped by that,
    so that pieces alike but for what they refer to are told apart. */
function matchExecutables(old: Uint8Array, fresh: Uint8Array, regions: PairRegions, log: Log): CoverList {
  const oldSpace = new AddressSpace(regions.old, old.length)
  const newSpace = new AddressSpace(regions.fresh, fresh.length)
  const tuningAt = tuningBy(regions.stretches)
  const oldText = canonicalise(old, oldSpace, undefined, undefined)
  const newText = canonicalise(fresh, newSpace, undefined, undefined)
  const rough = matchCovers(oldText, newText, tuningAt)
  log(`first match: ${rough.count} covers`)
  const map = new CoverMap(rough, oldSpace.end, [])
  const preparing = map.prepare()
  while (preparing.next().done !== true);
  canonicalise(old, oldSpace, map, oldText)
  canonicalise(fresh, newSpace, 'own', newText)
  const covers = outsideHashes(matchCovers(oldText, newText, tuningAt, rough), regions.fresh)
  log(`second match: ${covers.count} covers`)
  return covers
}

function tuningBy(stretches: readonly { start: number; end: number }[]): TuningAt {
  const starts = new SortedStarts(stretches.map(({ start }) => start))
  return (place) => {
    const stretch = stretches[starts.at(place)]
    return stretch !== undefined && stretch.start <= place && place < stretch.end ? CODE_TUNING : TEXT_TUNING
  }
}

function encodePatch(
  old: Uint8Array,
  fresh: Uint8Array,
  oldRegions: Region[],
  newRegions: Region[],
  covers: CoverList,
  log: Log,
): Uint8Array {
  const encoder = new RangeEncoder()
  codeRegions(encoder, oldRegions, old.length, [])
  codeRegions(encoder, newRegions, fresh.length, oldRegions)
  const coding = codeCovers(encoder, covers, old.length, fresh.length)
  while (coding.next().done !== true);
  const source = memorySource(old)
  const plan = { oldSize: old.length, newSize: fresh.length, oldRegions, newRegions, covers }
  const walking = new PatchWalker(encoder, source, plan, fresh).walk()
  while (walking.next().done !== true);
  const patch = writeHeader(old.length, fresh.length, encoder.finish())
  log(`encoded with ${oldRegions.length} regions, ${covers.count} covers: ${patch.length} bytes`)
  return patch
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    length: bytes.length,
    read: (target, position) => target.set(bytes.subarray(position, position + target.length)),
  }
}
