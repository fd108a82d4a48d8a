// published release -> verify -> rollout statement -> deliver (plan -> publish -> read back)

import { isVersion, MoultError, parseDate, RELEASE_UNSIGNED, statementDigest } from '../../manifests/index.ts'
import { assertClock } from '../assert-clock.ts'
import { deliver } from '../deliver.ts'
import { manifestPath } from '../layout.ts'
import { readLive } from '../live.ts'
import { openProject, type Project } from '../open-project.ts'
import { placeOf, type ReleaseOptions } from '../release-options.ts'
import type { ReleaseResult } from '../release-result.ts'
import { type Released, readReleased } from '../released.ts'
import { signRollout } from '../rollout-statement.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'
import { draftRollout } from './draft-rollout.ts'
import { type RolloutOptions, rolloutTermsOf } from './rollout-terms.ts'

export interface SetRolloutOptions
  extends RolloutOptions, Pick<ReleaseOptions, 'config' | 'channel' | 'baseUrl' | 'plan'> {
  /** A version that was released before, with or without a rollout; default: the live one. */
  readonly version?: string | undefined
  /** Only while the live statement has this sequence: it is what the caller has looked at. */
  readonly ifSequence?: number | undefined
}

/**
 * Offers a released version to (a part of) the fleet of a channel, with the rollout key alone: nothing is built, and no
 * byte is published that the release role has not signed. Of the version that is live already, stages and other terms
 * stay unless they are given.
 * @throws MoultError with the code of the step that failed
 */
export async function setRollout(options: SetRolloutOptions, deps: ReleaseDeps = {}): Promise<ReleaseResult> {
  return offerReleased(options, deps, () => true)
}

/**
 * The very same release, document and bytes, on another channel. Where it is live there already nothing changes, unless
 * terms are given.
 * @throws MoultError with the code of the step that failed
 */
export async function promote(
  { to, ...options }: Omit<SetRolloutOptions, 'channel'> & { readonly version: string; readonly to: string },
  deps: ReleaseDeps = {},
): Promise<ReleaseResult> {
  const { config: _config, version: _version, baseUrl: _baseUrl, plan: _plan, ifSequence: _if, ...terms } = options
  const isAsked = Object.values(terms).some((term) => term !== undefined)
  return offerReleased({ ...options, channel: to }, deps, (isLive) => !isLive || isAsked)
}

async function offerReleased(
  options: SetRolloutOptions,
  deps: ReleaseDeps,
  isNeeded: (isLive: boolean) => boolean,
): Promise<ReleaseResult> {
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around, ['rollout'])
  await assertClock(project, around)
  const terms = { ...placeOf(options, project.config), rollout: rolloutTermsOf(options, project.config) }
  if (options.version !== undefined) assertVersion(options.version)
  const version = options.version ?? (await liveVersion(terms.channel, project))

  return deliver({ ...terms, version, isPlan: options.plan === true }, project, around, async (live, now) => {
    if (options.ifSequence !== undefined && live?.manifest.rollout.sequence !== options.ifSequence)
      throw overtaken(terms.channel)
    const released = await publishedRelease(version, live, project, now)
    const isLive = live?.manifest.releaseDigest === statementDigest(released.document, RELEASE_UNSIGNED)
    if (!isNeeded(isLive)) return { release: { ...released, isLive }, rollout: undefined, artifacts: [] }
    const statement = await draftRollout(released, terms, live, project, around, now)
    const rollout = await signRollout(statement, project)
    return { release: { ...released, isLive: false }, rollout, artifacts: [] }
  })
}

/** @throws MoultError ERR_USAGE_INVALID, ERR_TRUST_DATE, ERR_MANIFEST_* or another ERR_TRUST_* */
export async function publishedRelease(
  version: string,
  live: Parameters<typeof readReleased>[1],
  project: Project,
  now: number,
): Promise<Released> {
  const released = await readReleased(version, live, project)
  if (released === undefined) throw notReleased(version, project.publisher.target)
  assertNotAhead(released, now)
  return released
}

/** @throws MoultError ERR_USAGE_INVALID */
export function assertVersion(text: string): void {
  if (isVersion(text)) return
  throw new MoultError('ERR_USAGE_INVALID', `not a semantic version: ${JSON.stringify(text.slice(0, 64))}`, {
    hint: 'A version looks like 1.4.2 or 2.0.0-rc.1.',
  })
}

async function liveVersion(channel: string, { publisher, roots }: Project): Promise<string> {
  const live = await readLive(publisher, roots[0], channel)
  if (live === undefined) throw nothingLive(channel, publisher.target)
  return live.manifest.release.version
}

export function nothingLive(channel: string, target: string): MoultError {
  return new MoultError('ERR_USAGE_INVALID', `nothing is live on ${channel}: ${target}`, {
    hint: 'Offer a release with `moult release` or `moult rollout set <version>`; or name the channel with --channel.',
    details: { channel, path: manifestPath(channel), target },
  })
}

/** The command looked at another statement than the one that is live now. */
export function overtaken(channel: string): MoultError {
  return new MoultError('ERR_PUBLISH_CONFLICT', `another release or rollout has just gone live on ${channel}`, {
    hint: 'Look at it with `moult rollout status`, and run the command again.',
    details: { channel },
  })
}

/** A release cannot be younger than its rollout: one of the two machines has a wrong clock. */
function assertNotAhead({ release }: Released, now: number): void {
  const released = parseDate(release.release_date) ?? 0
  if (Math.ceil(now / 1000) * 1000 >= released) return
  throw new MoultError('ERR_TRUST_DATE', `released in the future, on ${release.release_date}: ${release.version}`, {
    hint: 'Set the clock of this machine, or find out about that of the machine that released.',
    details: { version: release.version, released: release.release_date },
  })
}

function notReleased(version: string, target: string): MoultError {
  return new MoultError('ERR_USAGE_INVALID', `no such release in ${target}: ${version}`, {
    hint: 'Run `moult release --no-rollout` for it first, where the release key is.',
    details: { version, target },
  })
}
