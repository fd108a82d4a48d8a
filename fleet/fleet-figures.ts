// What the access logs tell of a fleet, as plain data: the engine makes it, and the report, the alerts and the judge read it.
// Times are milliseconds since 1970; shares are from 0 to 1.

import type { BeaconState } from '../manifests/beacon.ts'

export interface FleetFigures {
  /** Name of the agent. */
  readonly name: string
  /** The time that "silent" and "stuck" are counted from: the latest line, or what the caller says. */
  readonly nowMs: number
  readonly firstMs: number
  readonly lastMs: number
  /** The newest version that any agent runs, or what the caller says. */
  readonly offered: string | undefined
  readonly lines: LineCounts
  readonly agents: {
    readonly total: number
    /** Seen within `silentAfterMs` before now. */
    readonly active: number
    readonly silent: number
    readonly stuck: number
  }
  /** Of active agents, newest version first; `none` runs nothing yet. */
  readonly versions: readonly Share[]
  readonly platforms: readonly Share[]
  readonly channels: readonly Share[]
  readonly states: Readonly<Record<BeaconState, number>>
  /** Newest first: every version that agents run or that events name. */
  readonly releases: readonly ReleaseFigures[]
  /** How many agents were on each version, at evenly spaced times: of at most 100 versions, those with the most agents. */
  readonly distribution: readonly { readonly atMs: number; readonly agents: Readonly<Record<string, number>> }[]
  readonly polls: readonly { readonly atMs: number; readonly polls: number }[]
  /** By code, the most frequent first. */
  readonly errors: readonly { readonly code: string; readonly agents: number }[]
  /** Newest first; at most 100. */
  readonly events: readonly FleetEvent[]
  /** At most 1000 each; the longest first. */
  readonly stuck: readonly AgentLine[]
  readonly silent: readonly AgentLine[]
}

export interface LineCounts {
  readonly total: number
  readonly polls: number
  /** Downloads, other paths, other programs. */
  readonly others: number
  readonly malformed: number
  /** Logs that end early, as their gzip is cut off or broken: what they went on to say is not known. */
  readonly damaged: number
  /** Polls and events that found no room, for the logs name more different things than a fleet does. */
  readonly refused: number
  /** The first few, cut short and without control characters. */
  readonly malformedExamples: readonly string[]
}

export interface Share {
  readonly key: string
  readonly agents: number
  readonly share: number
}

export interface ReleaseFigures {
  readonly version: string
  /** Active agents that run it now. */
  readonly agents: number
  /** Agents that said that they updated to it. */
  readonly updated: number
  readonly rolledBack: number
  /** Agents that could not install it. */
  readonly failed: number
  /** Agents that run it on probation now. */
  readonly onTrial: number
  /** Agents that ran it when they were last seen, and are silent. */
  readonly silent: number
  /** Active agents that run it, and whose newest poll tells of an error. */
  readonly erring: number
  /** Agents that at any time got other bytes for it than the signed ones. */
  readonly hashMismatches: number
  /** (rolledBack + failed) / (updated + rolledBack + failed), each agent once; undefined where that is nothing. */
  readonly failureRate: number | undefined
  readonly firstSeenMs: number | undefined
  /** Seconds from the first offer to the confirmation, as the agents say. */
  readonly timeToUpdate: { readonly median: number; readonly p95: number; readonly max: number } | undefined
  /** Agents that had come to it, by time; empty but for the 100 releases that the most agents came to. */
  readonly adoption: readonly { readonly atMs: number; readonly agents: number }[]
}

export interface FleetEvent {
  readonly atMs: number
  readonly id: string
  readonly kind: 'updated' | 'rolled-back' | 'failed'
  readonly version: string
  readonly detail: string
}

export interface AgentLine {
  readonly id: string
  readonly version: string | undefined
  readonly platform: string
  readonly channel: string
  readonly state: BeaconState | undefined
  readonly error: string | undefined
  readonly lastMs: number
  /** Since when it runs this version, as far as the logs go. */
  readonly sinceMs: number
}
