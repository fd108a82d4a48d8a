import type { LastCheck } from './last-check.ts'
import type { LaunchRecord } from '../home/launch-record.ts'

/**
 * - `not-installed`: home holds nothing that could run
 * - `trial`: the version that runs is on probation
 * - `rolled-back`: the one that is offered failed here, and the one before it runs
 * - `failed`: the last check failed; what runs goes on
 * - `waiting`: an update is offered, and something holds it back
 * - `confirmed`: what runs has proved itself, and nothing newer is offered
 */
export const AGENT_STATES = ['not-installed', 'trial', 'rolled-back', 'failed', 'waiting', 'confirmed'] as const

export type AgentState = (typeof AGENT_STATES)[number]

export function agentState(record: LaunchRecord | undefined, check: LastCheck | undefined): AgentState {
  if (record === undefined) return 'not-installed'
  if (record.trial !== undefined) return 'trial'
  if (record.failed !== undefined || check?.reason === 'quarantined') return 'rolled-back'
  if (check?.outcome === 'failed') return 'failed'
  return check?.outcome === 'wait' || check?.outcome === 'install' ? 'waiting' : 'confirmed'
}
