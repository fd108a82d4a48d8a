// Covers of the new file by pieces of the old one.

import { findAnchors, type TuningAt } from './find-anchors.ts'
import { growAnchors } from './grow-anchors.ts'
import { MatchIndex, type Stretch } from './match-index.ts'
import type { CoverList } from './patch-layout.ts'

const DENSE_MARGINS = [1 << 16, 1 << 13, 1 << 10]
const DENSE_GAP_BYTES = 12
const DENSE_MAX_BYTES = 12 << 20

/** `earlier`: covers of these files found before: where they left bytes over, the old file is searched more closely. */
export function matchCovers(old: Uint8Array, fresh: Uint8Array, tuningAt: TuningAt, earlier?: CoverList): CoverList {
  const dense = earlier === undefined ? [] : stretchesAtGaps(earlier, old.length, fresh.length)
  return growAnchors(old, fresh, findAnchors(old, fresh, new MatchIndex(old, dense), tuningAt), tuningAt)
}

/** The old bytes around the ends of covers that do not touch; [] when that is much of the file. */
function stretchesAtGaps(covers: CoverList, oldSize: number, newSize: number): Stretch[] {
  const places: number[] = []
  let reached = 0
  for (let index = 0; index <= covers.count; index++) {
    const start = index < covers.count ? (covers.news[index] as number) : newSize
    if (start - reached >= DENSE_GAP_BYTES) {
      if (index > 0) places.push((covers.olds[index - 1] as number) + (covers.lengths[index - 1] as number))
      if (index < covers.count) places.push(covers.olds[index] as number)
    }
    reached = start + (covers.lengths[index] ?? 0)
  }
  places.sort((a, b) => a - b)
  for (const margin of DENSE_MARGINS) {
    const merged = mergeAround(places, margin, oldSize)
    if (merged.reduce((total, { start, end }) => total + end - start, 0) <= DENSE_MAX_BYTES) return merged
  }
  return []
}

function mergeAround(places: readonly number[], margin: number, oldSize: number): Stretch[] {
  const merged: Stretch[] = []
  for (const place of places) {
    const stretch = { start: Math.max(0, place - margin), end: Math.min(oldSize, place + margin) }
    const last = merged.at(-1)
    if (last !== undefined && stretch.start <= last.end) last.end = Math.max(last.end, stretch.end)
    else merged.push(stretch)
  }
  return merged
}
