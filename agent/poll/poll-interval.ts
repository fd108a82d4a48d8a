import { parseDuration } from '../../manifests/index.ts'
import type { Settings } from '../settings/settings.ts'

/** What a publisher may ask for: a stolen rollout key MUST neither have the fleet flood a host nor put it to sleep. */
const PROPOSED_MIN_MS = 60 * 1000
const PROPOSED_MAX_MS = 24 * 60 * 60 * 1000

/**
 * The interval that holds: that of the owner of the machine, else the one that the rollout proposes, else the default.
 * @param proposed member `poll` of the last manifest that verified
 */
export function pollIntervalMs(
  { intervalMs, hasOwnInterval }: Pick<Settings, 'intervalMs' | 'hasOwnInterval'>,
  proposed: string | undefined,
): number {
  const proposedMs = hasOwnInterval || proposed === undefined ? undefined : parseDuration(proposed)
  return proposedMs === undefined ? intervalMs : Math.min(Math.max(proposedMs, PROPOSED_MIN_MS), PROPOSED_MAX_MS)
}
