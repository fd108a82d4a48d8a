// What a decision depends on besides the manifest and the time.

import type { Platform } from './platform.ts'
import type { Labels } from './rule.ts'
import type { MaintenanceWindow } from './window.ts'

/** What the decision depends on besides the manifest and the time. */
export interface AgentFacts {
  /** Stable id of this agent; the rollout bucket is made of it. */
  readonly id: string
  readonly platform: Platform
  /** The version that runs; undefined when nothing is installed yet. */
  readonly running?: string | undefined
  /** What the owner of the machine calls it, for the rules of a rollout. */
  readonly labels?: Labels | undefined
  /** Zone of windows that name none; UTC when absent. */
  readonly timezone?: string | undefined
  /** SHA-256 of artifacts that failed on this machine. */
  readonly quarantine: ReadonlySet<string>
  /** The highest `rollback_floor` of a release that has run here. */
  readonly rollbackFloor?: string | undefined
  readonly policy?: HostPolicy | undefined
}

/** What the owner of the machine has laid down; it can hold an update back, never bring one. */
export interface HostPolicy {
  /** This host takes part in a rollout as if it never went beyond this percent. */
  readonly percentCap?: number | undefined
  /** Updates wait until one of these is open; without any they need not. */
  readonly windows?: readonly MaintenanceWindow[] | undefined
  /** SHA-256 of the artifacts that a person has approved; absent where nobody has to. */
  readonly approved?: ReadonlySet<string> | undefined
  /** The versions that may run here, such as `1.4.2` or `<2.0.0`. */
  readonly pin?: string | undefined
}

/** Where the agent stands in the rollout; percent and bucket explain a wait. */
export interface RolloutPosition {
  /** 0 to 9999, in hundredths of a percent. */
  readonly bucket: number
  /** Percent of the fleet, or of the agents of its rule, that may update now, and not more than this host's cap. */
  readonly percent: number
}
