import { distance } from 'fastest-levenshtein'

/** The candidate that a person most likely meant, if one is near. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, steps: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.steps - b.steps)
  const best = ranked[0]
  return best !== undefined && best.steps <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined
}
