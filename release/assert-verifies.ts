import { NO_FLOOR, verifyManifest } from '../manifests/index.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import type { PublishPlan } from './plan-publish.ts'

/**
 * Verifies the new manifest exactly as an agent does that pinned the first root and has seen the live manifest: what
 * agents would refuse is never uploaded. @throws MoultError ERR_MANIFEST_* or ERR_TRUST_*
 */
export function assertVerifies(
  plan: PublishPlan,
  channel: string,
  live: Live | undefined,
  { roots: [root] }: Project,
  now: number,
): void {
  if (plan.manifest === undefined) return
  const floor =
    live === undefined ? NO_FLOOR : { sequence: live.manifest.rollout.sequence, digest: live.manifest.rolloutDigest }
  const verdict = verifyManifest(plan.manifest.bytes, { root, channel, floor }, now)
  if (verdict.kind === 'refused') throw verdict.error
}
