// What the judge is told: by whoever runs it, and by the live rollout.

import type { Stage } from '../../manifests/index.ts'

export interface JudgeTerms {
  /** Share from 0 to below 1. A release that fails more often is halted. */
  readonly maxFailureRate: number
  /** So many agents have to have said how the release went. */
  readonly minAgents: number
  /** So long have the logs to show the present stage. */
  readonly soakMs: number
  /** Percent, each larger than the one before. */
  readonly steps: readonly number[]
  /** How old the newest line of the logs may be. */
  readonly maxLogAgeMs: number
  /** Share of the agents that the stage should have reached, of which the logs have to tell. */
  readonly minAdoption: number
}

export const JUDGE_TERMS: JudgeTerms = {
  maxFailureRate: 0.05,
  minAgents: 20,
  soakMs: 24 * 3_600_000,
  steps: [5, 25, 50, 100],
  maxLogAgeMs: 6 * 3_600_000,
  minAdoption: 0.8,
}

/** The live rollout, as far as it matters here. */
export interface JudgedRollout {
  readonly name: string
  readonly channel: string
  /** The version that is offered. */
  readonly version: string
  readonly stages: readonly Stage[]
  readonly isPaused: boolean
  /** RFC 3339. */
  readonly issued: string
  /** Versions that have to go back to this one, or to what is offered instead. */
  readonly rollback?: readonly string[] | undefined
  /** Why agents refuse the manifest as it stands, if they do. */
  readonly refused?: string | undefined
}

/** What stands for or against the next step, as data and as a sentence. */
export interface Reason {
  readonly code: ReasonCode
  readonly text: string
  readonly details?: Readonly<Record<string, number | string>>
}

export type ReasonCode =
  // They halt.
  | 'failure-rate'
  | 'hash-mismatch'
  // They hold.
  | 'paused'
  | 'percent-zero'
  | 'way-back'
  | 'refused'
  | 'calendar'
  | 'clock'
  | 'no-data'
  | 'other-agent'
  | 'stale'
  | 'malformed'
  | 'incomplete'
  | 'untold'
  | 'not-seen'
  | 'soak'
  | 'few-agents'
  | 'adoption'
  | 'no-comparison'
  // They let it go on.
  | 'last-step'
  | 'healthy'
