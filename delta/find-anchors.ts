// Exact pieces of the old file in the new one, from which covers then grow.

import { CoverList } from './patch-layout.ts'
import type { Match, MatchIndex } from './match-index.ts'

const LEAP_MARGIN = 8
const STAY_BYTES = 32
const RETURN_MIN = 8
const RETURN_SCORE = 16
const HORIZON_BYTES = 48
const JOIN_BYTES = 16

/** `anchorMin`: the shortest exact match that begins a cover; `coverMin`: the shortest cover. Code wants both short,
    text long: there what a cover costs would pay for many bytes spelled out. */
export type MatchTuning = { anchorMin: number; coverMin: number }
/** By place of the new file: what is no executable in a tar is matched as text. */
export type TuningAt = (place: number) => MatchTuning

/** Anchors in order of the new file; those on one diagonal that touch through a few differences are one. */
export function findAnchors(old: Uint8Array, fresh: Uint8Array, index: MatchIndex, tuningAt: TuningAt): CoverList {
  const anchors = new CoverList()
  const match: Match = { old: 0, start: 0, end: 0 }
  let shift = 0
  // The diagonal left last: after a piece from elsewhere things mostly go on where they were.
  let left = 0
  let place = 0
  let floor = 0
  while (place < fresh.length) {
    // On the diagonal of the last anchor as long as most of what is ahead agrees.
    let run = agreement(old, fresh, place, shift, Infinity)
    if (run >= STAY_BYTES) {
      addAnchor(anchors, place, place + shift, run)
      place += run
      floor = place
      continue
    }
    let score = Math.max(run, foresight(old, fresh, place, shift, run))
    if (run < RETURN_MIN && left !== shift && fresh[place] === old[place + left]) {
      const other = agreement(old, fresh, place, left, HORIZON_BYTES)
      const otherScore = other < RETURN_MIN ? 0 : Math.max(other, foresight(old, fresh, place, left, other))
      if (otherScore > score && otherScore >= RETURN_SCORE) {
        ;[shift, left] = [left, shift]
        run = other
        score = otherScore
      }
    }
    if (index.find(fresh, place, floor, place + shift, match)) {
      const length = match.end - match.start
      const found = match.old - match.start
      const { anchorMin } = tuningAt(place)
      if (length >= anchorMin && length - score >= anchorMin - LEAP_MARGIN && found !== shift) {
        left = shift
        shift = found
        addAnchor(anchors, match.start, match.old, length)
        place = match.end
        floor = place
        continue
      }
    }
    if (run >= RETURN_MIN && anchors.count > 0) {
      addAnchor(anchors, place, place + shift, run)
      place += run
      floor = place
    } else {
      place += 1
    }
  }
  return anchors
}

/** How many bytes from `place` on agree with the old ones on a diagonal. */
function agreement(old: Uint8Array, fresh: Uint8Array, place: number, shift: number, most: number): number {
  if (place + shift < 0) return 0
  const limit = Math.min(fresh.length - place, old.length - place - shift, most)
  let run = 0
  while (run < limit && fresh[place + run] === old[place + shift + run]) run++
  return run
}

/** Agreeing minus differing bytes of the next few, of which the first `run` are known to agree. */
function foresight(old: Uint8Array, fresh: Uint8Array, place: number, shift: number, run: number): number {
  if (place + shift < 0) return 0
  const horizon = Math.min(fresh.length - place, old.length - place - shift, HORIZON_BYTES)
  // Past the end of the old file nothing agrees, and a negative horizon must not read as praise.
  if (horizon <= 0) return 0
  let ahead = run
  for (let at = run; at < horizon; at++) if (fresh[place + at] === old[place + shift + at]) ahead++
  return ahead * 2 - horizon
}

function addAnchor(anchors: CoverList, start: number, old: number, length: number): void {
  const last = anchors.count - 1
  if (last >= 0 && (anchors.olds[last] as number) - (anchors.news[last] as number) === old - start) {
    const end = (anchors.news[last] as number) + (anchors.lengths[last] as number)
    if (start - end <= JOIN_BYTES) {
      anchors.lengths[last] = start + length - (anchors.news[last] as number)
      return
    }
  }
  anchors.add(start, old, length)
}
