import { setTimeout as sleep } from 'node:timers/promises'

import { isMoultError, MoultError, toMoultError } from '../manifests/index.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import type { PublishPlan } from './plan-publish.ts'
import type { Surroundings } from './surroundings.ts'
import { verifyPublished } from './verify-published.ts'
import { verifyRelease } from './verify-release.ts'

export interface ReadBackTarget {
  readonly channel: string
  readonly baseUrl: string | undefined
}

/** Caches on the way may show the old manifest for a moment. */
const ATTEMPTS_MAX = 4
const PAUSE_MS = 1_000

/**
 * Reads everything that was planned through the public URL, or the folder where none is configured, and verifies it as an agent would. If
 * that fails, the manifest before this one is put back, unless somebody has changed it since. The sequence of this one
 * stays used up, because agents may have seen it: see `attemptPath`.
 * @throws MoultError ERR_PUBLISH_READ_BACK
 */
export async function readBack(
  plan: PublishPlan,
  target: ReadBackTarget,
  live: Live | undefined,
  project: Project,
  around: Surroundings,
): Promise<void> {
  try {
    await verifyUntilFresh(plan, target, live, project, around)
  } catch (cause) {
    around.signal.throwIfAborted()
    const restored = await restore(plan, live, project)
    const { message, code, hint } = toMoultError(cause)
    throw new MoultError(
      'ERR_PUBLISH_READ_BACK',
      `what was published does not verify (${message}): ${project.publisher.target}`,
      {
        ...(hint === undefined ? {} : { hint }),
        details: { reason: code, restored },
        cause,
      },
    )
  }
}

async function verifyUntilFresh(
  plan: PublishPlan,
  { channel, baseUrl }: ReadBackTarget,
  live: Live | undefined,
  project: Project,
  around: Surroundings,
): Promise<void> {
  const expected = plan.manifest?.sha256 ?? live?.sha256
  const url = project.config.publish?.url
  const isRemote = url !== undefined || project.publisher.urlOf !== undefined
  const isBrief = plan.artifacts.length === 0
  const options = { place: url ?? project.publisher, root: project.roots[0], channel, baseUrl, isBrief }
  for (let attempt = 1; ; attempt++) {
    try {
      if (plan.prepared !== undefined) return await verifyRelease(plan.prepared, options, project, around)
      const { manifest } = await verifyPublished(options, around)
      if (manifest === expected) return
      throw new MoultError('ERR_NETWORK_STATUS', 'still the manifest before this one: the public URL', {
        hint: 'Is what was published served at `publish.url`, and does a cache ignore Cache-Control?',
      })
    } catch (error) {
      if (!isRemote || attempt === ATTEMPTS_MAX || !isMoultError(error) || !error.retryable) throw error
    }
    await sleep(PAUSE_MS, undefined, { signal: around.signal })
  }
}

async function restore({ manifest }: PublishPlan, live: Live | undefined, { publisher }: Project): Promise<boolean> {
  if (manifest === undefined) return false
  try {
    await publisher.replaceManifest(manifest.path, live?.bytes, manifest.sha256)
    return true
  } catch (error) {
    if (isMoultError(error)) return false
    throw error
  }
}
