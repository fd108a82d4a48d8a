// From counts by second to the figures of a run.

import { peakByChance } from './chance.ts'
import type { FleetPlan, Span } from './fleet-plan.ts'
import type { Tally } from './tally.ts'

const WINDOWS_S = [1, 10] as const
/** A peak above the bound is no work of chance, but for once in so many runs. */
const CHANCE = 1 / 1000

export interface WindowFigures {
  readonly windowS: number
  /** Polls of the fullest window, over agents / interval * window. */
  readonly peakToMean: number
  /** What independent polls at the mean rate exceed once in a thousand runs, in the same measure. */
  readonly byChance: number
}

export interface SpanFigures {
  readonly name: string
  readonly fromS: number
  readonly toS: number
  readonly polls: number
  /** Agents / interval, a second. */
  readonly meanPerS: number
  /** Polls of the span over what the mean would give. */
  readonly share: number
  readonly windows: readonly WindowFigures[]
}

export interface Figures {
  readonly spans: readonly SpanFigures[]
  /** Seconds from the first publication of the newest version until this share of the fleet ran it; null when never. */
  readonly adoption: Readonly<Record<'half' | 'ninety' | 'ninetyNine' | 'all', number | null>>
  readonly counts: Tally['counts']
  readonly bytes: Tally['bytes']
  readonly refused: Tally['refused']
}

export function figuresOf(plan: FleetPlan, tally: Tally): Figures {
  const { counts, bytes, refused } = tally
  return {
    spans: plan.spans.map((span) => spanFigures(plan.agents, span, tally.polls)),
    adoption: {
      half: secondsTo(0.5, plan, tally),
      ninety: secondsTo(0.9, plan, tally),
      ninetyNine: secondsTo(0.99, plan, tally),
      all: secondsTo(1, plan, tally),
    },
    counts,
    bytes,
    refused,
  }
}

function spanFigures(agents: number, { name, fromS, toS, intervalS }: Span, polls: Uint32Array): SpanFigures {
  const meanPerS = agents / intervalS
  const total = sum(polls, fromS, toS)
  const windows = WINDOWS_S.map((windowS) => {
    const mean = meanPerS * windowS
    const count = toS - fromS - windowS + 1
    return {
      windowS,
      peakToMean: rounded(fullestWindow(polls, fromS, toS, windowS) / mean),
      byChance: rounded(peakByChance(mean, count, CHANCE) / mean),
    }
  })
  const share = rounded(total / (meanPerS * (toS - fromS)))
  return { name, fromS, toS, polls: total, meanPerS: rounded(meanPerS), share, windows }
}

/** Polls of the fullest window that begins and ends at whole seconds of the span. */
export function fullestWindow(polls: Uint32Array, fromS: number, toS: number, windowS: number): number {
  let inside = sum(polls, fromS, fromS + windowS)
  let fullest = inside
  for (let second = fromS + windowS; second < toS; second += 1) {
    inside += (polls[second] ?? 0) - (polls[second - windowS] ?? 0)
    fullest = Math.max(fullest, inside)
  }
  return fullest
}

function secondsTo(share: number, { agents, publications }: FleetPlan, { moved }: Tally): number | null {
  const newest = publications.at(-1)?.version
  const published = publications.find(({ version }) => version === newest)?.atS ?? 0
  const wanted = Math.ceil(share * agents)
  let there = 0
  for (const [second, count] of moved.entries()) {
    there += count
    if (there >= wanted) return second - published
  }
  return null
}

function sum(counts: Uint32Array, from: number, to: number): number {
  return counts.subarray(from, to).reduce((total, count) => total + count, 0)
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
