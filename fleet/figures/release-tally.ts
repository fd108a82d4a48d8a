// What became of each version, agent by agent.

import type { AgentEvent, AgentView, Visit } from '../engine/fleet.ts'
import { compareVersionTexts } from '../engine/version-order.ts'
import type { ReleaseFigures } from '../fleet-figures.ts'
import { CountOverTime, type TimeGrid } from './time-grid.ts'

/** Code of an error without `ERR_`, as beacons have it. */
const HASH_MISMATCH = 'BYTES_HASH'

interface Tally {
  agents: number
  onTrial: number
  silent: number
  erring: number
  hashMismatches: number
  updated: number
  rolledBack: number
  failed: number
  firstSeenMs: number | undefined
  readonly seconds: number[]
  readonly adoption: CountOverTime
}

export class ReleaseTallies {
  readonly #grid: TimeGrid
  readonly #tallies = new Map<string, Tally>()

  constructor(grid: TimeGrid) {
    this.#grid = grid
  }

  add(agent: AgentView, visits: readonly Visit[], events: readonly AgentEvent[], isActive: boolean): void {
    for (const { version, firstMs } of visits) {
      const tally = this.#tallyOf(version)
      tally.firstSeenMs = Math.min(tally.firstSeenMs ?? firstMs, firstMs)
      tally.adoption.add(firstMs)
    }
    const { version, state, error } = agent.tail
    const running = this.#tallyOf(version)
    if (isActive) {
      running.agents++
      if (state === 'trial') running.onTrial++
      if (error !== '') running.erring++
    } else running.silent++
    if (events.length === 0) return
    for (const event of lastOutcomes(events)) this.#addOutcome(event)
    for (const mismatched of versionsWithOtherBytes(events)) this.#tallyOf(mismatched).hashMismatches++
  }

  #addOutcome({ kind, version, detail }: AgentEvent): void {
    const tally = this.#tallyOf(version)
    switch (kind) {
      case 'updated':
        tally.updated++
        tally.seconds.push(Number(detail))
        break
      case 'rolled-back':
        tally.rolledBack++
        break
      case 'failed':
        tally.failed++
        break
    }
  }

  #tallyOf(version: string): Tally {
    let tally = this.#tallies.get(version)
    if (tally === undefined) {
      const none = {
        agents: 0,
        onTrial: 0,
        silent: 0,
        erring: 0,
        hashMismatches: 0,
        updated: 0,
        rolledBack: 0,
        failed: 0,
        firstSeenMs: undefined,
      }
      tally = { ...none, seconds: [], adoption: new CountOverTime(this.#grid) }
      this.#tallies.set(version, tally)
    }
    return tally
  }

  /** The one that the most agents came to first. `none` is no release. @param curvesMax so many have an adoption curve */
  read(curvesMax: number): ReleaseFigures[] {
    return [...this.#tallies]
      .filter(([version]) => version !== 'none')
      .sort(([a, one], [b, other]) => other.adoption.added - one.adoption.added || compareVersionTexts(b, a))
      .map(([version, tally], index) => figuresOf(version, tally, index < curvesMax))
  }
}

/** Of each version the last thing that was said: a download that failed and was repeated has not failed. */
function lastOutcomes(events: readonly AgentEvent[]): Iterable<AgentEvent> {
  return new Map(events.map((event) => [event.version, event])).values()
}

/** Also where a later attempt went well: once is enough for somebody to look into it. */
function versionsWithOtherBytes(events: readonly AgentEvent[]): Set<string> {
  const isMismatch = ({ kind, detail }: AgentEvent): boolean => kind === 'failed' && detail === HASH_MISMATCH
  return new Set(events.filter(isMismatch).map(({ version }) => version))
}

function figuresOf(version: string, tally: Tally, hasCurve: boolean): ReleaseFigures {
  const { agents, onTrial, silent, erring, hashMismatches, updated, rolledBack, failed, firstSeenMs } = tally
  const tried = updated + rolledBack + failed
  return {
    version,
    agents,
    updated,
    rolledBack,
    failed,
    onTrial,
    silent,
    erring,
    hashMismatches,
    failureRate: tried === 0 ? undefined : (rolledBack + failed) / tried,
    firstSeenMs,
    timeToUpdate: spreadOf(tally.seconds),
    adoption: hasCurve ? tally.adoption.read() : [],
  }
}

function spreadOf(seconds: readonly number[]): ReleaseFigures['timeToUpdate'] {
  if (seconds.length === 0) return undefined
  const sorted = Float64Array.from(seconds).sort()
  // Nearest rank: a value that some agent really had, and the same one in every database.
  const rank = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return { median: rank(0.5), p95: rank(0.95), max: rank(1) }
}
