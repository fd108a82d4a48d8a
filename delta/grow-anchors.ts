// Anchors grown through small differences towards their neighbours, as bsdiff does.

import type { TuningAt } from './find-anchors.ts'
import { CoverList } from './patch-layout.ts'

const MATCH_GAIN = 4
const MISMATCH_COST = 7
const GIVE_UP = -120

/** Two files and the diagonal (old place minus new place) along which they are compared. */
type Diagonal = { old: Uint8Array; fresh: Uint8Array; shift: number }

/** Grows every anchor over the gap before and behind it, as far as agreeing bytes outweigh differing ones. */
export function growAnchors(old: Uint8Array, fresh: Uint8Array, anchors: CoverList, tuningAt: TuningAt): CoverList {
  const covers = new CoverList()
  let taken = 0
  let forwardEnd = 0
  for (let index = 0; index < anchors.count; index++) {
    const start = anchors.news[index] as number
    const end = start + (anchors.lengths[index] as number)
    const shift = (anchors.olds[index] as number) - start
    const diagonal = { old, fresh, shift }
    let begin = growBackwards(diagonal, start, taken)
    // The cover before may have grown into this stretch.
    const last = covers.count - 1
    if (last >= 0 && forwardEnd > begin) {
      const lastShift = (covers.olds[last] as number) - (covers.news[last] as number)
      begin = splitBetween(diagonal, lastShift, begin, Math.min(forwardEnd, start))
      covers.lengths[last] = Math.max(1, begin - (covers.news[last] as number))
    }
    const ceiling = index + 1 < anchors.count ? (anchors.news[index + 1] as number) : fresh.length
    forwardEnd = growForwards(diagonal, end, ceiling)
    const lastEnd = last < 0 ? 0 : (covers.news[last] as number) + (covers.lengths[last] as number)
    const joins = last >= 0 && (covers.olds[last] as number) - (covers.news[last] as number) === shift
    if (joins && begin <= lastEnd) {
      covers.lengths[last] = forwardEnd - (covers.news[last] as number)
    } else if (forwardEnd - begin >= tuningAt(begin).coverMin) {
      covers.add(begin, begin + shift, forwardEnd - begin)
    } else {
      forwardEnd = lastEnd
      continue
    }
    taken = end
  }
  return covers
}

function growBackwards({ old, fresh, shift }: Diagonal, start: number, floor: number): number {
  const most = Math.min(start - floor, start + shift)
  let begin = start
  let score = 0
  let best = 0
  for (let at = start - 1; at >= start - most; at--) {
    score += fresh[at] === old[at + shift] ? MATCH_GAIN : -MISMATCH_COST
    if (score > best) {
      best = score
      begin = at
    } else if (score < best + GIVE_UP) {
      break
    }
  }
  return begin
}

function growForwards({ old, fresh, shift }: Diagonal, end: number, ceiling: number): number {
  const last = Math.min(ceiling, old.length - shift)
  let reached = end
  let score = 0
  let best = 0
  for (let at = end; at < last; at++) {
    score += fresh[at] === old[at + shift] ? MATCH_GAIN : -MISMATCH_COST
    if (score > best) {
      best = score
      reached = at + 1
    } else if (score < best + GIVE_UP) {
      break
    }
  }
  return reached
}

/** Where one diagonal should give way to the other, so that both together agree most. */
function splitBetween({ old, fresh, shift }: Diagonal, lastShift: number, begin: number, end: number): number {
  let lead = 0
  let best = 0
  let split = begin
  for (let at = begin; at < end; at++) {
    const here = fresh[at]
    if (here === old[at + lastShift]) lead++
    if (here === old[at + shift]) lead--
    if (lead > best) {
      best = lead
      split = at + 1
    }
  }
  return split
}
