// What is known of each agent, as the figures of the fleet.

import type { ScanResult } from './engine/scan-all.ts'
import { compareTexts, compareVersionTexts } from './engine/version-order.ts'
import { AgentTally } from './figures/agent-tally.ts'
import { type Selection, surveyFleet } from './figures/survey.ts'
import { type CountOverTime, makeGrid, type TimeGrid } from './figures/time-grid.ts'
import type { FleetFigures, LineCounts, Share } from './fleet-figures.ts'
import type { LogCounts } from './scan/log-counts.ts'

const HOUR_MS = 3_600_000
/** Whoever may write to the log can name a new version in each line: a curve for each would fill the memory. */
export const CURVES_MAX = 100
export const STUCK_AFTER_MS = 48 * HOUR_MS
/** A hundred polls at the usual interval: a laptop that is closed for the night is silent, a machine that reboots is not. */
export const SILENT_AFTER_MS = 8 * HOUR_MS

export interface FigureOptions extends Selection {
  /**
   * What silence and being stuck are counted to, in milliseconds. By default, and at most, the newest line: logs come
   * late, and an agent is not silent because its lines are not here yet.
   */
  readonly nowMs?: number | undefined
  readonly stuckAfterMs?: number | undefined
  readonly silentAfterMs?: number | undefined
}

/** Does not depend on the order in which lines were read. */
export function fleetFigures({ fleet, counts }: ScanResult, options: FigureOptions = {}): FleetFigures {
  const firstMs = counts.oldestMs ?? Number.NaN
  const lastMs = counts.newestMs ?? Number.NaN
  const nowMs = options.nowMs === undefined || !(options.nowMs < lastMs) ? lastMs : options.nowMs
  const { stuckAfterMs = STUCK_AFTER_MS, silentAfterMs = SILENT_AFTER_MS } = options
  const survey = surveyFleet(fleet, options)
  const grid: TimeGrid =
    counts.newestMs === undefined ? { startMs: 0, stepMs: HOUR_MS, points: 0 } : makeGrid(firstMs, lastMs)
  const tally = new AgentTally(survey, { nowMs, stuckAfterMs, silentAfterMs }, grid)
  tally.addAll(fleet)
  const { total, active, silent, stuck, states, active: all } = tally
  return {
    name: survey.name,
    nowMs,
    firstMs,
    lastMs,
    offered: survey.offers.get(survey.mainChannel)?.version,
    lines: lineCounts(counts, fleet.refused),
    agents: { total, active, silent, stuck },
    versions: sharesOf(tally.versions, all).sort((a, b) => compareVersionTexts(b.key, a.key)),
    platforms: sharesOf(tally.platforms, all),
    channels: sharesOf(tally.channels, all),
    states,
    releases: tally.releases.read(CURVES_MAX).sort((a, b) => compareVersionTexts(b.version, a.version)),
    distribution: distributionOf(tally.onVersion),
    polls: pollsOverTime(counts),
    errors: sharesOf(tally.errors, all).map(({ key, agents }) => ({ code: key, agents })),
    events: tally.events.read(),
    stuck: tally.stuckLines.read(),
    silent: tally.silentLines.read(),
  }
}

/** The most frequent first. */
function sharesOf(counts: ReadonlyMap<string, number>, all: number): Share[] {
  return [...counts]
    .map(([key, agents]) => ({ key, agents, share: agents / all }))
    .sort((a, b) => b.agents - a.agents || compareTexts(a.key, b.key))
}

function distributionOf(onVersion: ReadonlyMap<string, CountOverTime>): FleetFigures['distribution'] {
  const columns = [...onVersion]
    .sort(([a, one], [b, other]) => other.added - one.added || compareVersionTexts(b, a))
    .slice(0, CURVES_MAX)
    .sort(([a], [b]) => compareVersionTexts(b, a))
    .map(([version, count]) => ({ version, points: count.read() }))
  return (columns[0]?.points ?? []).map(({ atMs }, point) => ({
    atMs,
    agents: Object.fromEntries(columns.map(({ version, points }) => [version, points[point]?.agents ?? 0])),
  }))
}

function pollsOverTime({ pollsByHour, oldestMs, newestMs }: LogCounts): FleetFigures['polls'] {
  if (oldestMs === undefined || newestMs === undefined) return []
  const { startMs, stepMs, points } = makeGrid(oldestMs, newestMs, HOUR_MS)
  const polls = Array.from({ length: points }, (_, point) => ({ atMs: startMs + point * stepMs, polls: 0 }))
  for (const [hourMs, count] of pollsByHour) {
    const bucket = polls[Math.floor((hourMs - startMs) / stepMs)]
    if (bucket !== undefined) bucket.polls += count
  }
  // The last point of a grid may begin at the very end of the log.
  return polls.filter(({ atMs }) => atMs <= newestMs)
}

function lineCounts(counts: LogCounts, refused: number): LineCounts {
  const examples = counts.examples.map(({ source, line, text }) => `${source}:${line}: ${text}`)
  const damage = counts.damaged.map(({ source, reason }) => `${source}: ${reason}`)
  return {
    total: counts.lines,
    polls: counts.polls,
    others: counts.foreignPolls + counts.downloads + counts.otherRequests,
    malformed: counts.malformed + counts.damaged.length,
    damaged: counts.damaged.length,
    refused: counts.refused + refused,
    malformedExamples: [...damage, ...examples].slice(0, 10),
  }
}
