// The end of every job that publishes: look again at what is live, prepare, plan, verify, publish, read back.

import { assertSigned, type JsonObject, RELEASE_UNSIGNED } from '../manifests/index.ts'
import type { Attachment } from './attachments/attachment.ts'
import { assertReleasable } from './assert-releasable.ts'
import { assertVerifies } from './assert-verifies.ts'
import type { CompressedArtifact } from './compress-artifacts.ts'
import { type Live, readLive } from './live.ts'
import { newestRoot, type Project } from './open-project.ts'
import { planPublish } from './plan-publish.ts'
import { publish } from './publish.ts'
import { readBack } from './read-back.ts'
import { type ReleaseResult, resultOf } from './release-result.ts'
import type { SettledRelease } from './settle-release.ts'
import type { Surroundings } from './surroundings.ts'

export interface DeliveryTarget {
  readonly version: string
  readonly channel: string
  readonly baseUrl: string | undefined
  /** Do everything but publish. */
  readonly isPlan: boolean
}

export interface Delivery {
  readonly release: SettledRelease
  /** Signed; undefined: the live manifest stays as it is. */
  readonly rollout: JsonObject | undefined
  /** What this machine has built of the release. */
  readonly artifacts: readonly CompressedArtifact[]
  readonly attachments?: readonly Attachment[]
}

/**
 * Publishes what `prepare` gives, under the lock of the place from the look at what is live until after the read-back.
 * @throws MoultError with the code of the step that failed
 */
export async function deliver(
  target: DeliveryTarget,
  project: Project,
  around: Surroundings,
  prepare: (live: Live | undefined, now: number) => Promise<Delivery>,
): Promise<ReleaseResult> {
  const { version, channel, isPlan } = target
  const unlock = isPlan ? async () => {} : await project.publisher.lock(`${version} on ${channel}`)
  try {
    // Another release may have gone live since the caller looked.
    const live = await readLive(project.publisher, project.roots[0], channel)
    const now = around.now()
    assertReleasable(version, live, now)
    const delivery = await prepare(live, now)
    const plan = await planPublish({ ...target, ...delivery, live }, project)
    // A release without a manifest is not looked at by the next check, and MUST NOT be uploaded unsigned either.
    assertSigned('release', delivery.release.document, RELEASE_UNSIGNED, newestRoot(project).roles.release)
    assertVerifies(plan, channel, live, project, now)
    if (!isPlan) {
      await publish(plan, project, around)
      await readBack(plan, target, live, project, around)
    }
    return resultOf(plan, delivery, target, project)
  } finally {
    await unlock()
  }
}
