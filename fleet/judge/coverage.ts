import type { FleetFigures } from '../fleet-figures.ts'

/**
 * How much of the time since then the logs show, in milliseconds: an hour without a single poll is not shown, whether its
 * file is missing or the fleet was off.
 */
export function coveredMs({ polls, firstMs, lastMs }: FleetFigures, sinceMs: number): number {
  const fromMs = Math.max(sinceMs, firstMs)
  let covered = 0
  for (const [index, { atMs, polls: count }] of polls.entries()) {
    const untilMs = Math.min(polls[index + 1]?.atMs ?? Number.POSITIVE_INFINITY, lastMs)
    if (count > 0) covered += Math.max(0, untilMs - Math.max(atMs, fromMs))
  }
  return covered
}
