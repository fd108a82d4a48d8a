import { compareVersions } from '../../manifests/index.ts'
import { percentAt } from '../stages.ts'
import type { LiveRollout } from './compose-rollout.ts'

/** A release that would be the fallback, if agents of today can verify it. */
export interface FallbackCandidate {
  readonly version: string
  /** Digest. */
  readonly release: string
}

/**
 * What agents get that a new version is held back from: the live release once all may have it, else what its own rollout
 * falls back to. A release that not all were to have is not handed to the rest of them by the next one.
 */
export function fallbackBefore(
  live: LiveRollout | undefined,
  version: string,
  now: number,
): FallbackCandidate | undefined {
  if (live === undefined) return undefined
  const { rollout } = live
  const isForAll = rollout.paused !== true && percentAt(rollout.stages, now) === 100
  const candidate = isForAll ? live : rollout.fallback
  return candidate !== undefined && compareVersions(candidate.version, version) < 0 ? candidate : undefined
}
