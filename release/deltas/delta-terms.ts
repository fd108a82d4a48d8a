// How many deltas a release makes, and what they may cost. Everything has a default.

import { availableParallelism, totalmem } from 'node:os'

import { MoultError, parseDuration } from '../../manifests/index.ts'
import type { Config } from '../config.ts'
import { FLEET_DEFAULT, LAST_DEFAULT, TIME_LIMIT_DEFAULT } from './delta-config.ts'

export interface DeltaOptions {
  /** False: none, whatever the configuration says. */
  readonly deltas?: boolean | undefined
  /** A file with what `moult fleet status --json` prints: deltas also from the versions that most agents run. */
  readonly deltaFleet?: string | undefined
}

export interface DeltaTerms {
  readonly last: number
  readonly fleet: number
  readonly fleetFile: string | undefined
  readonly timeLimitMs: number
  /** For all that are made at the same time. */
  readonly memoryBytes: number
  readonly atOnce: number
}

const MEGABYTE = 1_000_000
/** A timer that is given more goes off at once. */
const TIME_MAX_MS = 2 ** 31 - 1

/** Undefined: no deltas. @throws MoultError ERR_USAGE_INVALID */
export function deltaTermsOf({ deltas, deltaFleet }: DeltaOptions, config: Config): DeltaTerms | undefined {
  if (deltas === false && deltaFleet !== undefined)
    throw new MoultError('ERR_USAGE_INVALID', '--delta-fleet: expected no --no-delta beside it, got both')
  const given = deltas === false ? false : (config.deltas ?? true)
  if (given === false) return undefined
  const { last = LAST_DEFAULT, fleet = FLEET_DEFAULT, timeLimit, memory } = given === true ? {} : given
  return {
    last,
    fleet,
    fleetFile: deltaFleet,
    timeLimitMs: Math.min(parseDuration(timeLimit ?? TIME_LIMIT_DEFAULT) ?? 0, TIME_MAX_MS),
    memoryBytes: memory === undefined ? memoryToSpare() : memory * MEGABYTE,
    atOnce: availableParallelism(),
  }
}

/** Half of what is free; a quarter of all where that is more, because some systems count their caches as used. */
function memoryToSpare(): number {
  const limit = process.constrainedMemory()
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  return Math.max(process.availableMemory() / 2, total / 4)
}
