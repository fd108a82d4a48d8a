import { isRoleTightened, type Root } from '../manifests/index.ts'
import type { Live } from './live.ts'

/**
 * The sequence of the next rollout: one more than any that agents can have seen, live or put back after a read-back that
 * failed.
 *
 * Only the thief of a rollout key can have got beyond the seconds since 1970, counting by ones. Where a root that agents
 * have not seen yet revokes that key, they forget the number (SPEC.md, "Floor reset"), and it begins again at those
 * seconds: above any honest number, so that no older statement by a key that still counts can be replayed.
 */
export function nextSequence(seen: readonly (Live | undefined)[], newest: Root, now: number): number {
  const seconds = Math.floor(now / 1000)
  let next = 1
  for (const one of seen) {
    if (one === undefined) continue
    const { sequence } = one.manifest.rollout
    const isForgotten = sequence > seconds && isRoleTightened('rollout', one.root, newest)
    next = Math.max(next, isForgotten ? seconds : sequence + 1)
  }
  return next
}
