// Figures of a fleet in which a release is under way, and what can go wrong with it, one agent at a time.

import type { FleetFigures, ReleaseFigures } from '../../../fleet/fleet-figures.ts'
import { JUDGE_TERMS, type JudgedRollout, type JudgeTerms } from '../../../fleet/judge/terms.ts'
import { formatDate } from '../../../manifests/index.ts'

export const HOUR_MS = 3_600_000
export const NOW = Date.UTC(2026, 10, 21, 12)
export const TERMS: JudgeTerms = JUDGE_TERMS

export interface Fleet {
  /** Of the release. */
  readonly agents: number
  readonly onTrial?: number
  readonly rolledBack?: number
  readonly failed?: number
  readonly silent?: number
  readonly erring?: number
  readonly hashMismatches?: number
  /** Of the version before: with those that came back to it. */
  readonly older?: number
  readonly olderSilent?: number
  readonly olderErring?: number
  readonly percent?: number
}

export function releaseOf(version: string, members: Partial<ReleaseFigures> = {}): ReleaseFigures {
  return {
    version,
    agents: 0,
    updated: 0,
    rolledBack: 0,
    failed: 0,
    onTrial: 0,
    silent: 0,
    erring: 0,
    hashMismatches: 0,
    failureRate: undefined,
    firstSeenMs: undefined,
    timeToUpdate: undefined,
    adoption: [],
    ...members,
  }
}

/** Logs without a hole, of the two days up to half an hour ago. */
export function figuresOf(fleet: Fleet, members: Partial<FleetFigures> = {}): FleetFigures {
  const { agents, older = 0, silent = 0, olderSilent = 0 } = fleet
  const lastMs = NOW - HOUR_MS / 2
  const firstMs = NOW - 48 * HOUR_MS
  const active = agents + older
  const { onTrial = 0, rolledBack = 0, failed = 0, erring = 0, hashMismatches = 0, olderErring = 0 } = fleet
  return {
    name: 'probe',
    nowMs: lastMs,
    firstMs,
    lastMs,
    offered: '1.1.0',
    lines: { total: 50_000, polls: 48_000, others: 2000, malformed: 0, damaged: 0, refused: 0, malformedExamples: [] },
    agents: { total: active + silent + olderSilent, active, silent: silent + olderSilent, stuck: 0 },
    versions: [],
    platforms: [],
    channels: [],
    states: { confirmed: active, trial: 0, 'rolled-back': 0, waiting: 0, failed: 0 },
    releases: [
      releaseOf('1.1.0', { agents, onTrial, rolledBack, failed, silent, erring, hashMismatches, updated: agents }),
      releaseOf('1.0.0', { agents: older, silent: olderSilent, erring: olderErring }),
    ],
    distribution: [],
    polls: Array.from({ length: 48 }, (_, hour) => ({ atMs: firstMs + hour * HOUR_MS, polls: 1000 })),
    errors: [],
    events: [],
    stuck: [],
    silent: [],
    ...members,
  }
}

/** Began 26 hours ago. */
export function rolloutAt(percent: number, members: Partial<JudgedRollout> = {}): JudgedRollout {
  const at = formatDate(NOW - 26 * HOUR_MS)
  return {
    name: 'probe',
    channel: 'stable',
    version: '1.1.0',
    stages: [{ at, percent }],
    isPaused: false,
    issued: at,
    ...members,
  }
}
