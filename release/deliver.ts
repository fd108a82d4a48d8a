// The end of every job that publishes: look again at what is live, prepare, plan, verify, publish, read back.

import { assertSigned, type JsonObject, RELEASE_UNSIGNED } from '../manifests/index.ts'
import type { Attachment } from './attachments/attachment.ts'
import { assertAfter, assertReleasable } from './assert-releasable.ts'
import { assertVerifies } from './assert-verifies.ts'
import { planFeed, publishFeed } from './audit/plan-feed.ts'
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
  /** The version may be older than the live one: the caller has laid down what that means for agents. */
  readonly mayBeOlder?: boolean
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
  const { version, channel, baseUrl, isPlan } = target
  const unlock = isPlan ? async () => {} : await project.publisher.lock(`${version} on ${channel}`)
  try {
    // Another release may have gone live since the caller looked.
    const live = await readLive(project.publisher, project.roots[0], channel)
    const now = around.now()
    if (target.mayBeOlder !== true) assertReleasable(version, live, now)
    else if (live !== undefined) assertAfter(live, now)
    const delivery = await prepare(live, now)
    const plan = await planPublish({ ...target, ...delivery, live }, project)
    // A release without a manifest is not looked at by the next check, and MUST NOT be uploaded unsigned either.
    assertSigned('release', delivery.release.document, RELEASE_UNSIGNED, newestRoot(project).roles.release)
    assertVerifies(plan, channel, live, project, now)
    const manifest = plan.manifest?.bytes ?? (delivery.release.isLive ? live?.bytes : undefined)
    const feed = manifest && (await planFeed({ manifest, live, channel, baseUrl }, project, around))
    if (!isPlan) {
      await publish(plan, project, around)
      await readBack(plan, target, live, project, around)
      if (feed !== undefined) await publishFeed(feed, project.publisher, around)
    }
    return resultOf(plan, delivery, target, project, feed)
  } finally {
    await unlock()
  }
}
