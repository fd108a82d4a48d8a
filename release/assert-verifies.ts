import { MoultError, NO_FLOOR, verifyManifest } from '../manifests/index.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import type { PublishPlan } from './plan-publish.ts'

/**
 * Verifies the new manifest exactly as two agents do: one that knows nothing but the first root, and one that has seen
 * the live manifest. What either would refuse is never uploaded.
 * @throws MoultError ERR_MANIFEST_*, ERR_TRUST_* or ERR_PUBLISH_CONFLICT
 */
export function assertVerifies(
  plan: PublishPlan,
  channel: string,
  live: Live | undefined,
  { roots }: Project,
  now: number,
): void {
  if (plan.manifest === undefined) return
  const newest = roots.at(-1) ?? roots[0]
  if (live !== undefined && live.root.version > newest.version) {
    // A release that began before a rotation would take the new root out of the manifest again.
    throw new MoultError(
      'ERR_PUBLISH_CONFLICT',
      `root ${live.root.version} is live, and root ${newest.version} the newest here`,
      {
        hint: 'Fetch the newer root documents of this project, and run the command again.',
        details: { live: live.root.version, here: newest.version },
      },
    )
  }
  const agents = [{ root: roots[0], floor: NO_FLOOR }]
  if (live !== undefined) {
    const { rollout, rolloutDigest } = live.manifest
    agents.push({ root: live.root, floor: { sequence: rollout.sequence, digest: rolloutDigest } })
  }
  for (const agent of agents) {
    const verdict = verifyManifest(plan.manifest.bytes, { ...agent, channel }, now)
    if (verdict.kind === 'refused') throw verdict.error
  }
}
