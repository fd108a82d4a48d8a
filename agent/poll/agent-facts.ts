import type { AgentFacts } from '../../manifests/index.ts'
import { approvedHashes, quarantinedAt, type State } from '../home/state.ts'
import type { Settings } from '../settings/settings.ts'

/** What a decision depends on besides the manifest and the time. @param now milliseconds since 1970 */
export function factsOf(
  { policy, labels, timezone }: Settings,
  state: State,
  who: Pick<AgentFacts, 'id' | 'running' | 'platform'>,
  now: number,
): AgentFacts {
  const { needsApproval, windows, percentCap, pin } = policy
  return {
    ...who,
    labels,
    timezone,
    quarantine: quarantinedAt(state, now),
    rollbackFloor: state.rollbackFloor,
    policy: { percentCap, windows, pin, ...(needsApproval ? { approved: approvedHashes(state) } : {}) },
  }
}
