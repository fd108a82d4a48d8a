// For a job that keeps rollouts from expiring: the same content with new dates, once half of its life is over.

import { isEndingSoon, isMoultError, MoultError, parseDate, type Rollout, toMoultError } from '../../manifests/index.ts'
import { assertClock } from '../assert-clock.ts'
import { expiryWarnings, type ExpiryWarning } from '../expiry-warnings.ts'
import { readLive } from '../live.ts'
import { newestRoot, openProject, type Project } from '../open-project.ts'
import { placeOf } from '../release-options.ts'
import { type ReleaseDeps, type Surroundings, surroundingsOf } from '../surroundings.ts'
import { restateRollout, type RestateOptions } from './restate-rollout.ts'
import { nothingLive } from './set-rollout.ts'

/** While so much of a life is left, it is not renewed. */
const LEFT_ENOUGH_SHARE = 0.5

export interface RefreshOptions extends RestateOptions {
  /** Every channel that has a manifest. */
  readonly allChannels?: boolean | undefined
  /** Renew it, however much is left. */
  readonly force?: boolean | undefined
  /** Only look: needs no key. */
  readonly check?: boolean | undefined
}

export interface RefreshedChannel {
  readonly channel: string
  readonly kind: 'renewed' | 'planned' | 'unchanged' | 'checked' | 'failed'
  readonly version?: string
  readonly sequence?: number
  readonly expires?: string
  readonly warnings?: readonly ExpiryWarning[]
  readonly error?: MoultError
}

/** Plain data, as `--json` prints it. */
export interface RefreshResult {
  readonly kind: 'refreshed' | 'checked'
  readonly name: string
  readonly target: string
  readonly channels: readonly RefreshedChannel[]
}

/**
 * One channel that fails does not keep the others from being renewed: its error is in the result.
 * @throws MoultError ERR_CONFIG_*, ERR_USAGE_INVALID or ERR_TRUST_DATE
 */
export async function refresh(options: RefreshOptions = {}, deps: ReleaseDeps = {}): Promise<RefreshResult> {
  const around = surroundingsOf(deps)
  const { check = false, allChannels = false } = options
  if (allChannels && options.channel !== undefined)
    throw new MoultError('ERR_USAGE_INVALID', `--all-channels: expected no --channel beside it, got ${options.channel}`)
  const project = await openProject(options.config, around, check ? [] : ['rollout'])
  await assertClock(project, around)
  const { name, publisher } = project
  const names = allChannels ? await publisher.channels() : [placeOf(options, project.config).channel]
  const channels: RefreshedChannel[] = []
  for (const channel of names) {
    around.signal.throwIfAborted()
    try {
      channels.push(await (check ? checkChannel : refreshChannel)({ ...options, channel }, project, around))
    } catch (error) {
      if (!isMoultError(error)) throw error
      channels.push({ channel, kind: 'failed', error })
    }
  }
  return { kind: check ? 'checked' : 'refreshed', name, target: publisher.target, channels }
}

type ChannelOptions = RefreshOptions & { readonly channel: string }

async function refreshChannel(
  { force = false, ...options }: ChannelOptions,
  project: Project,
  around: Surroundings,
): Promise<RefreshedChannel> {
  const { channel } = options
  const { kind, version, rollout } = await restateRollout(
    options,
    (live, now) => (force || leftShare(live, now) < LEFT_ENOUGH_SHARE ? live : undefined),
    project,
    around,
  )
  return {
    channel,
    kind: kind === 'published' ? 'renewed' : kind === 'planned' ? 'planned' : 'unchanged',
    version,
    ...(rollout === undefined ? {} : { sequence: rollout.sequence, expires: rollout.expires }),
  }
}

async function checkChannel(
  { channel }: ChannelOptions,
  project: Project,
  around: Surroundings,
): Promise<RefreshedChannel> {
  const live = await readLive(project.publisher, project.roots[0], channel).catch((error: unknown) => {
    // What agents say of it is the code that counts.
    const { cause } = toMoultError(error)
    throw isMoultError(cause) ? cause : error
  })
  if (live === undefined) throw nothingLive(channel, project.publisher.target)
  const now = around.now()
  const { release, rollout } = live.manifest
  if (isEndingSoon(rollout, now)) throw endingSoon(channel, rollout, now)
  const { sequence, expires } = rollout
  const warnings = expiryWarnings(live.manifest, newestRoot(project), now)
  return { channel, kind: 'checked', version: release.version, sequence, expires, warnings }
}

/** The part of its life that a statement has before it; negative after its end. */
export function leftShare({ issued, expires }: Pick<Rollout, 'issued' | 'expires'>, now: number): number {
  const endMs = parseDate(expires) ?? 0
  return (endMs - now) / Math.max(1, endMs - (parseDate(issued) ?? 0))
}

function endingSoon(channel: string, { expires, issued, sequence }: Rollout, now: number): MoultError {
  const share = leftShare({ issued, expires }, now)
  const reason =
    share <= 0 ? `the rollout expired at ${expires}` : `less than a quarter of its life is left, until ${expires}`
  return new MoultError('ERR_TRUST_EXPIRED', `${reason}: ${channel}`, {
    hint: 'Renew it with `moult refresh`, and find out why the job that should do so does not.',
    details: { channel, sequence, expires, leftPercent: Math.floor(share * 100) },
  })
}
