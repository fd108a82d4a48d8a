// Evenly spaced times, few enough for a chart, and sums over them.

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const STEPS_MS = [5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, DAY_MS, 7 * DAY_MS]
const POINTS_MAX = 96

export interface TimeGrid {
  /** A multiple of the step, at or before the first time. */
  readonly startMs: number
  readonly stepMs: number
  readonly points: number
}

/** From the first time to the last, both included. @param leastMs the smallest step that makes sense */
export function makeGrid(firstMs: number, lastMs: number, leastMs = 0): TimeGrid {
  const fits = STEPS_MS.find((step) => step >= leastMs && (lastMs - firstMs) / step < POINTS_MAX)
  const stepMs = fits ?? Math.ceil((lastMs - firstMs) / POINTS_MAX / DAY_MS) * DAY_MS
  const startMs = Math.floor(firstMs / stepMs) * stepMs
  return { startMs, stepMs, points: Math.ceil((lastMs - startMs) / stepMs) + 1 }
}

/** How many things there are at each point, from the times when each begins and ends. */
export class CountOverTime {
  /** How many things were added, whether a point shows them or not. */
  added = 0
  readonly #grid: TimeGrid
  /** What is added at each point to the count of the one before. */
  readonly #changes: Float64Array

  constructor(grid: TimeGrid) {
    this.#grid = grid
    this.#changes = new Float64Array(grid.points + 1)
  }

  /** One thing that is there at all points in [fromMs, untilMs). */
  add(fromMs: number, untilMs = Number.POSITIVE_INFINITY): void {
    this.added++
    const [from, until] = [this.#pointFrom(fromMs), this.#pointFrom(untilMs)]
    if (until <= from) return
    this.#changes[from] = (this.#changes[from] ?? 0) + 1
    this.#changes[until] = (this.#changes[until] ?? 0) - 1
  }

  read(): { atMs: number; agents: number }[] {
    const { startMs, stepMs, points } = this.#grid
    let agents = 0
    return Array.from({ length: points }, (_, point) => {
      agents += this.#changes[point] ?? 0
      return { atMs: startMs + point * stepMs, agents }
    })
  }

  /** The first point at or after a time. */
  #pointFrom(timeMs: number): number {
    const { startMs, stepMs, points } = this.#grid
    return Math.min(Math.max(Math.ceil((timeMs - startMs) / stepMs), 0), points)
  }
}
