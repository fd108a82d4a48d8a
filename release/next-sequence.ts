import { isRoleTightened, type Root } from '../manifests/index.ts'
import type { Live } from './live.ts'

/**
 * The sequence of the next rollout: one more than the live one.
 *
 * Only the thief of a rollout key can have got beyond the seconds since 1970, counting by ones. Where a root that agents
 * have not seen yet revokes that key, they forget the number (SPEC.md, "Floor reset"), and it begins again at those
 * seconds: above any honest number, so that no older statement by a key that still counts can be replayed.
 */
export function nextSequence(live: Live | undefined, newest: Root, now: number): number {
  if (live === undefined) return 1
  const seconds = Math.floor(now / 1000)
  const { sequence } = live.manifest.rollout
  return sequence > seconds && isRoleTightened('rollout', live.root, newest) ? seconds : sequence + 1
}
