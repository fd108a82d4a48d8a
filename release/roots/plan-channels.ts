// The channels whose live manifest does not carry the newest root yet. Each is delivered twice in the way of a release:
// first as a plan, so that every one is signed and verified before the first byte is written, and then for good.

import { isMoultError, MoultError, type Root } from '../../manifests/index.ts'
import { deliver } from '../deliver.ts'
import { readLive } from '../live.ts'
import type { Project } from '../open-project.ts'
import type { ReleaseResult } from '../release-result.ts'
import type { Surroundings } from '../surroundings.ts'
import { reissue } from './reissue.ts'

export interface ChannelOptions {
  /** Default: every channel that has a manifest. */
  readonly channels?: readonly string[] | undefined
  readonly baseUrl?: string | undefined
  /** The version that is signed anew by the release keys of this machine: named, so that it is never a thief's. */
  readonly resign?: string | undefined
  readonly plan?: boolean | undefined
}

export interface ReissuedChannel extends ReleaseResult {
  /** The release got signatures of other keys. */
  readonly isSignedAnew: boolean
}

/** For a plan: what would stop it, and what to do about that. */
export interface Blocked {
  readonly code: string
  readonly message: string
  readonly hint?: string
}

export interface PlannedChannels {
  readonly channels: readonly ReissuedChannel[]
  readonly blocked?: Blocked
}

interface Next {
  readonly root: Root
  readonly trustDir: string
}

/** A plan that is only shown tells what stops it. @throws MoultError what stops a real run */
export async function planChannels(
  project: Project,
  options: ChannelOptions,
  next: Next,
  around: Surroundings,
): Promise<PlannedChannels> {
  const channels: ReissuedChannel[] = []
  try {
    for (const channel of options.channels ?? (await project.publisher.channels())) {
      const live = await readLive(project.publisher, project.roots[0], channel)
      if (live === undefined || live.root.version >= next.root.version) continue
      const target = { channel, version: live.manifest.release.version, isPlan: true }
      channels.push(await reissueChannel(target, project, options, next, around))
    }
    return { channels }
  } catch (error) {
    if (options.plan !== true || !isMoultError(error)) throw error
    const { code, message, hint } = error
    return { channels, blocked: { code, message, ...(hint === undefined ? {} : { hint }) } }
  }
}

export async function reissueChannel(
  target: { readonly channel: string; readonly version: string; readonly isPlan: boolean },
  project: Project,
  { resign, baseUrl = project.config.baseUrl }: ChannelOptions,
  { trustDir }: Next,
  around: Surroundings,
): Promise<ReissuedChannel> {
  let isSignedAnew = false
  const result = await deliver({ ...target, baseUrl }, project, around, async (live, now) => {
    if (live?.manifest.release.version !== target.version) {
      throw new MoultError(
        'ERR_PUBLISH_CONFLICT',
        `no longer the live version on ${target.channel}: ${target.version}`,
        {
          hint: 'Another release went live meanwhile. Run the command again.',
        },
      )
    }
    const issued = await reissue(live, project, { trustDir, resign }, around, now)
    isSignedAnew = issued.isSignedAnew
    return issued
  })
  return { ...result, isSignedAnew }
}
