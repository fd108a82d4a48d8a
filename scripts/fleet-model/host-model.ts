// The host as agents see it: up or down, and behind edges that may be late.

import type { EdgePlan, FleetPlan, Outage } from './fleet-plan.ts'

const ONE_EDGE: EdgePlan = { count: 1, lagS: 0, stuck: { count: 0, fromS: 0, toS: 0 }, roaming: 0 }

export class HostModel {
  readonly #plan: FleetPlan
  readonly #edges: EdgePlan
  readonly #lagsS: readonly number[]
  /** What each edge serves in the present second: an index of the plan's publications. */
  readonly #served: number[]
  /** Undefined while the host is up. */
  outage: Outage | undefined

  constructor(plan: FleetPlan, random: () => number) {
    this.#plan = plan
    this.#edges = plan.edges ?? ONE_EDGE
    this.#lagsS = Array.from({ length: this.#edges.count }, () => random() * this.#edges.lagS)
    this.#served = this.#lagsS.map(() => 0)
  }

  get edges(): number {
    return this.#edges.count
  }

  /** Goes on to this second; every one has to be told. */
  enter(second: number): void {
    this.outage = this.#plan.outages?.find(({ fromS, toS }) => fromS <= second && second < toS)
    for (const [edge, lagS] of this.#lagsS.entries()) {
      const { count, fromS, toS } = this.#edges.stuck
      if (edge < count && fromS <= second && second < toS) continue
      this.#served[edge] = Math.max(
        0,
        this.#plan.publications.findLastIndex(({ atS }) => atS + lagS <= second),
      )
    }
  }

  /** The publication that an agent gets whose own edge this is. */
  serve(own: number, random: () => number): number {
    const { roaming, count } = this.#edges
    const edge = roaming > 0 && random() < roaming ? Math.floor(random() * count) : own
    return this.#served[edge] ?? 0
  }
}
