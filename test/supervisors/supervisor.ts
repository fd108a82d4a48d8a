// What the tests ask of a real supervisor. `life-cycle.ts` is the suite that every adapter passes.

import { spawnSync } from 'node:child_process'

import type { ServiceKind } from '../../agent/install/service-files.ts'
import type { Sensor } from './sensor.ts'

export interface Supervisor {
  readonly kind: ServiceKind
  /** Where `moult agent install --write` puts the unit. */
  readonly unitPath: string
  /** What is left to do when `moult agent install` has written the unit. */
  readonly prepare?: (sensor: Sensor) => Promise<void>
  /** Has the supervisor take the unit and start it. */
  readonly start: () => Promise<void>
  /** The supervisor's own command to stop a service; it returns when the service has ended. */
  readonly stop: () => Promise<void>
  /** What it says of the service: running, stopped by command, or given up for good. */
  readonly state: () => Promise<'running' | 'stopped' | 'given-up'>
  /** Kills the agent's process as a person would who wants it started again. */
  readonly restart: () => Promise<void>
  /** Where a restart costs something: the supervisor has seen none. */
  readonly assertNotRestarted?: () => Promise<void>
  /** What helps when a test fails. */
  readonly said: () => string
  /** Ends the supervisor and everything that it has started. */
  readonly close: () => Promise<void>
}

/**
 * Why a test of this supervisor is skipped; false when it can run. In continuous integration a missing part is a failure,
 * which the test then meets itself.
 */
export function missingPart(...programs: readonly string[]): string | false {
  if (process.env['CI']) return false
  if (process.getuid?.() !== 0) return 'only root can do this'
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0)
  return missing.length === 0 ? false : `not installed: ${missing.join(', ')}`
}
