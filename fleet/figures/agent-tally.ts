// One pass over the agents: who is there, on what, and who is stuck or silent.

import type { BeaconState } from '../../manifests/beacon.ts'
import type { AgentView, Fleet, Visit } from '../engine/fleet.ts'
import { compareTexts, compareVersionTexts } from '../engine/version-order.ts'
import type { AgentLine, FleetEvent } from '../fleet-figures.ts'
import { addTo } from '../scan/log-counts.ts'
import { FirstOf } from './first-of.ts'
import { staysOf } from './on-version.ts'
import { ReleaseTallies } from './release-tally.ts'
import type { Survey } from './survey.ts'
import { CountOverTime, type TimeGrid } from './time-grid.ts'

const LINES_MAX = 1000
const EVENTS_MAX = 100

export interface Patience {
  readonly nowMs: number
  readonly stuckAfterMs: number
  readonly silentAfterMs: number
}

export class AgentTally {
  total = 0
  active = 0
  silent = 0
  stuck = 0
  readonly versions = new Map<string, number>()
  readonly platforms = new Map<string, number>()
  readonly channels = new Map<string, number>()
  readonly errors = new Map<string, number>()
  readonly states: Record<BeaconState, number> = { confirmed: 0, trial: 0, 'rolled-back': 0, waiting: 0, failed: 0 }
  readonly releases: ReleaseTallies
  readonly onVersion = new Map<string, CountOverTime>()
  readonly events = new FirstOf<FleetEvent>(EVENTS_MAX, (a, b) => {
    return b.atMs - a.atMs || compareTexts(a.id, b.id) || compareTexts(a.version, b.version)
  })
  readonly stuckLines = new FirstOf<AgentLine>(LINES_MAX, (a, b) => a.sinceMs - b.sinceMs || compareTexts(a.id, b.id))
  readonly silentLines = new FirstOf<AgentLine>(LINES_MAX, (a, b) => a.lastMs - b.lastMs || compareTexts(a.id, b.id))
  readonly #survey: Survey
  readonly #patience: Patience
  readonly #grid: TimeGrid

  constructor(survey: Survey, patience: Patience, grid: TimeGrid) {
    this.#survey = survey
    this.#patience = patience
    this.#grid = grid
    this.releases = new ReleaseTallies(grid)
  }

  addAll(fleet: Fleet): void {
    fleet.forEachAgent((agent) => {
      const { name, channel } = agent.tail
      if (name === this.#survey.name && this.#survey.offers.has(channel)) this.#add(agent)
    })
  }

  #add(agent: AgentView): void {
    const { nowMs, silentAfterMs } = this.#patience
    const visits = agent.visits()
    const events = agent.events()
    const isActive = agent.lastMs >= nowMs - silentAfterMs
    this.total++
    this.releases.add(agent, visits, events, isActive)
    for (const { version, fromMs, untilMs } of staysOf(visits, silentAfterMs)) {
      this.#countOf(version).add(fromMs, untilMs)
    }
    for (const { toldMs, kind, version, detail } of events) {
      this.events.add({ atMs: toldMs, id: agent.id, kind, version, detail })
    }
    if (isActive) this.#addActive(agent, visits)
    else {
      this.silent++
      this.silentLines.add(lineOf(agent, visits))
    }
  }

  #addActive(agent: AgentView, visits: readonly Visit[]): void {
    const { version, platform, channel, state, error } = agent.tail
    this.active++
    addTo(this.versions, version, 1)
    addTo(this.platforms, platform, 1)
    addTo(this.channels, channel, 1)
    if (state !== '') this.states[state]++
    if (error !== '') addTo(this.errors, error, 1)
    if (!this.#isStuck(agent)) return
    this.stuck++
    this.stuckLines.add(lineOf(agent, visits))
  }

  /** Older than what is offered, for as long as the offer and the agent are known; one that waits for its stage is not. */
  #isStuck({ tail: { version, channel, state }, firstMs }: AgentView): boolean {
    const offer = this.#survey.offers.get(channel)
    const { nowMs, stuckAfterMs } = this.#patience
    if (offer === undefined || state === 'waiting' || compareVersionTexts(version, offer.version) >= 0) return false
    return nowMs - Math.max(offer.sinceMs ?? firstMs, firstMs) > stuckAfterMs
  }

  #countOf(version: string): CountOverTime {
    let count = this.onVersion.get(version)
    if (count === undefined) this.onVersion.set(version, (count = new CountOverTime(this.#grid)))
    return count
  }
}

function lineOf({ id, tail, lastMs, firstMs }: AgentView, visits: readonly Visit[]): AgentLine {
  return {
    id,
    version: tail.version === 'none' ? undefined : tail.version,
    platform: tail.platform,
    channel: tail.channel,
    state: tail.state === '' ? undefined : tail.state,
    error: tail.error === '' ? undefined : tail.error,
    lastMs,
    sinceMs: visits.find(({ version }) => version === tail.version)?.firstMs ?? firstMs,
  }
}
