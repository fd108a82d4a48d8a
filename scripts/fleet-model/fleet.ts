// A fleet in virtual time: the agent's own schedule, checks and decision, run for every poll of every agent. What is a
// model here is what lies around them: the host, the machines' clocks, and the time that a download and a restart take.

import { usableSources } from '../../agent/download/usable-sources.ts'
import { changedPollDelayMs, firstPollDelayMs, nextPollDelayMs, POLL_INTERVAL_MS } from '../../agent/poll/schedule.ts'
import {
  decide,
  type Decision,
  type Manifest,
  type OtherReleases,
  parseDate,
  sha256,
  type Verified,
} from '../../manifests/index.ts'
import type { FleetPlan } from './fleet-plan.ts'
import { HostModel } from './host-model.ts'
import { NOTHING, Offers, START_MS } from './offers.ts'
import { randomNumbers } from './random.ts'
import { Tally } from './tally.ts'

const DOWNLOAD_BYTES_PER_S = 2_000_000
const RESTART_MS = 2000
/** A version on trial polls within this time, see SPEC.md, "Poll". */
const TRIAL_INTERVAL_MS = 10_000
const NO_QUARANTINE: ReadonlySet<string> = new Set()
const NO_OTHERS: OtherReleases = new Map()
const NEVER = Number.POSITIVE_INFINITY

export interface FleetOptions {
  /** Ask for a decision at every poll, and not only when the last one can have changed: slow, and the same result. */
  readonly asksAlways?: boolean
}

/** Plays the plan. The same plan gives the same tally, on every machine. */
export function runFleet(plan: FleetPlan, options: FleetOptions = {}): Tally {
  return new Fleet(plan, options).run()
}

class Fleet {
  readonly #plan: FleetPlan
  readonly #asksAlways: boolean
  readonly #random: () => number
  readonly #host: HostModel
  readonly #offers: Offers
  readonly #versions: readonly string[]
  readonly #tally: Tally

  // The calendar: for each second the first agent that polls in it, and for each agent the one after it.
  readonly #firstIn: Int32Array
  readonly #after: Int32Array
  readonly #dueMs: Float64Array

  // The agents.
  readonly #intervalMs: Float64Array
  readonly #failures: Uint8Array
  readonly #isOnTrial: Uint8Array
  readonly #edge: Uint16Array
  readonly #clockOffMs: Int32Array
  readonly #timeFloorMs: Float64Array
  /** Index of the offer that was accepted last. */
  readonly #held: Int16Array
  /** Index of the version that runs. */
  readonly #running: Int16Array
  /** By the agent's own time; until then the last decision stands. */
  readonly #askAtMs: Float64Array

  constructor(plan: FleetPlan, { asksAlways = false }: FleetOptions) {
    const { agents, durationS, seed } = plan
    this.#plan = plan
    this.#asksAlways = asksAlways
    this.#random = randomNumbers(seed)
    this.#host = new HostModel(plan, this.#random)
    this.#offers = new Offers(plan.publications)
    this.#versions = [...new Set(plan.publications.map(({ version }) => version))]
    this.#tally = new Tally(durationS)
    this.#firstIn = new Int32Array(durationS).fill(-1)
    this.#after = new Int32Array(agents)
    this.#dueMs = new Float64Array(agents)
    this.#intervalMs = new Float64Array(agents).fill(POLL_INTERVAL_MS)
    this.#failures = new Uint8Array(agents)
    this.#isOnTrial = new Uint8Array(agents)
    this.#edge = new Uint16Array(agents)
    this.#clockOffMs = new Int32Array(agents)
    this.#timeFloorMs = new Float64Array(agents)
    this.#held = new Int16Array(agents).fill(NOTHING)
    this.#running = new Int16Array(agents)
    this.#askAtMs = new Float64Array(agents)
  }

  run(): Tally {
    const { agents, durationS, rebootsS = [], clocks } = this.#plan
    const random = this.#random
    for (let agent = 0; agent < agents; agent += 1) {
      this.#edge[agent] = Math.floor(random() * this.#host.edges)
      if (clocks !== undefined && random() < clocks.share)
        this.#clockOffMs[agent] = Math.round((2 * random() - 1) * clocks.mostS * 1000)
    }
    this.#bootAll(0)
    for (let second = 0; second < durationS; second += 1) {
      this.#host.enter(second)
      if (rebootsS.includes(second)) this.#bootAll(second)
      for (;;) {
        const agent = this.#firstIn[second] ?? -1
        if (agent < 0) break
        this.#firstIn[second] = this.#after[agent] ?? -1
        this.#tally.poll(second)
        const nowMs = this.#dueMs[agent] ?? 0
        this.#schedule(agent, nowMs + this.#poll(agent, nowMs))
      }
    }
    return this.#tally
  }

  /** All processes begin anew, with what they had stored. */
  #bootAll(second: number): void {
    this.#firstIn.fill(-1)
    this.#failures.fill(0)
    for (let agent = 0; agent < this.#plan.agents; agent += 1) {
      const trialMs = this.#isOnTrial[agent] === 1 ? this.#trialDelayMs() : NEVER
      const firstMs = firstPollDelayMs(this.#intervalMs[agent] ?? 0, this.#random())
      this.#schedule(agent, second * 1000 + Math.min(firstMs, trialMs))
    }
  }

  #schedule(agent: number, dueMs: number): void {
    const second = Math.floor(dueMs / 1000)
    this.#dueMs[agent] = dueMs
    if (second >= this.#firstIn.length) return
    this.#after[agent] = this.#firstIn[second] ?? -1
    this.#firstIn[second] = agent
  }

  /** @returns the delay until the next poll */
  #poll(agent: number, nowMs: number): number {
    const fromMs = this.#intervalMs[agent] ?? 0
    const { outage } = this.#host
    if (outage !== undefined) {
      this.#tally.answer('failed')
      return this.#delayAfterFailure(agent, fromMs, (outage.retryAfterS ?? 0) * 1000)
    }
    const served = this.#host.serve(this.#edge[agent] ?? 0, this.#random)
    const held = this.#held[agent] ?? NOTHING
    const offer = this.#offers.list[served]
    if (served === held) this.#tally.answer('notModified')
    else this.#tally.answer('manifests', offer?.bytes.length)

    const clockMs = START_MS + nowMs + (this.#clockOffMs[agent] ?? 0)
    const timeMs = Math.max(clockMs, this.#timeFloorMs[agent] ?? 0)
    const verdict = this.#offers.verdict(served, held, timeMs)
    if (verdict.kind === 'refused') {
      this.#tally.refuse(verdict.code)
      return this.#delayAfterFailure(agent, fromMs, 0)
    }
    this.#failures[agent] = 0
    this.#isOnTrial[agent] = 0
    if (served !== held) {
      this.#held[agent] = served
      this.#askAtMs[agent] = 0
      const issuedMs = Math.min(parseDate(verdict.manifest.rollout.issued) ?? 0, clockMs)
      this.#timeFloorMs[agent] = Math.max(this.#timeFloorMs[agent] ?? 0, issuedMs)
    }
    const toMs = offer?.intervalMs ?? fromMs
    this.#intervalMs[agent] = toMs
    if (this.#asksAlways || timeMs >= (this.#askAtMs[agent] ?? 0)) {
      const decision = this.#decide(agent, verdict.manifest, timeMs)
      if (decision.kind === 'install') return this.#install(agent, nowMs, decision)
      this.#askAtMs[agent] = decision.kind === 'wait' ? (decision.untilMs ?? NEVER) : NEVER
    }
    return fromMs === toMs ? nextPollDelayMs(toMs, 0, 0, this.#random) : changedPollDelayMs(fromMs, toMs, this.#random)
  }

  #delayAfterFailure(agent: number, intervalMs: number, retryAfterMs: number): number {
    const failures = Math.min(255, (this.#failures[agent] ?? 0) + 1)
    this.#failures[agent] = failures
    // Whatever the host asks for, a version on trial has to verify once.
    if (this.#isOnTrial[agent] === 1) return Math.max(1000, this.#trialDelayMs())
    return nextPollDelayMs(intervalMs, failures, retryAfterMs, this.#random)
  }

  #decide(agent: number, manifest: Verified<Manifest>, timeMs: number): Decision {
    this.#tally.counts.decisions += 1
    const facts = {
      // Hashed like the id of a real machine, so nothing of its number is left.
      id: sha256(Buffer.from(`${this.#plan.seed}\n${agent}`)).slice(0, 32),
      platform: 'linux-amd64',
      running: this.#versions[this.#running[agent] ?? 0],
      quarantine: NO_QUARANTINE,
    }
    const decision = decide(manifest, facts, timeMs, NO_OTHERS)
    if (decision.kind === 'release-needed') throw new Error('the plans of this model pin nothing')
    return decision
  }

  /** Downloads, restarts, and polls on trial. */
  #install(agent: number, nowMs: number, { binary, version }: Extract<Decision, { kind: 'install' }>): number {
    const bytes = usableSources(binary)[0]?.size ?? binary.size
    this.#tally.answer('downloads', bytes)
    this.#running[agent] = this.#versions.indexOf(version)
    this.#askAtMs[agent] = 0
    this.#isOnTrial[agent] = 1
    const busyMs = (bytes / DOWNLOAD_BYTES_PER_S) * 1000 + RESTART_MS
    if (version === this.#versions.at(-1)) this.#tally.move(Math.floor((nowMs + busyMs) / 1000))
    return busyMs + this.#trialDelayMs()
  }

  #trialDelayMs(): number {
    return TRIAL_INTERVAL_MS * this.#random()
  }
}
