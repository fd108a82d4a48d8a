// What happens to a fleet in virtual time. All times are seconds since the start, at which every agent boots at once.

import type { Overrides } from '../../test/fixtures/signed-manifest.ts'

export interface FleetPlan {
  readonly agents: number
  readonly seed: number
  readonly durationS: number
  /** In order of time; the first one is there from the start. */
  readonly publications: readonly Publication[]
  readonly outages?: readonly Outage[]
  /** Every agent loses its process at this second, and begins anew in it. */
  readonly rebootsS?: readonly number[]
  /** The share of agents whose clocks are wrong, evenly by up to so much, either way. */
  readonly clocks?: { readonly share: number; readonly mostS: number }
  readonly edges?: EdgePlan
  readonly spans: readonly Span[]
}

export interface Publication {
  readonly atS: number
  readonly version: string
  /** Seconds after the publication, and percent; everybody at once when absent. */
  readonly stages?: readonly (readonly [afterS: number, percent: number])[]
  /** More members of the rollout, such as `spread` and `poll`. */
  readonly rollout?: Overrides
}

export interface Outage {
  readonly fromS: number
  readonly toS: number
  /** The host answers 503 and asks for so much; without it nothing answers at all. */
  readonly retryAfterS?: number
}

/** A network of edges before the host. Each agent has one, and goes to another one now and then. */
export interface EdgePlan {
  readonly count: number
  /** Each edge learns of a publication after up to so long. */
  readonly lagS: number
  /** So many of them serve what they had at `fromS` until `toS`. */
  readonly stuck: { readonly count: number; readonly fromS: number; readonly toS: number }
  /** Share of polls that go to any edge. */
  readonly roaming: number
}

/** A part of the run that gets figures of its own. */
export interface Span {
  readonly name: string
  readonly fromS: number
  readonly toS: number
  /** The interval that the mean is reckoned with: the mean is agents / interval, however few of them poll. */
  readonly intervalS: number
}
