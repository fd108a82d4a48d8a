// What a channel offers, to whom and until when: read and verified, and no key is needed for it.

import {
  isMoultError,
  type MoultError,
  NO_FLOOR,
  parseDate,
  type ReleaseRef,
  type Stage,
  toMoultError,
  verifyManifest,
} from '../../manifests/index.ts'
import { readLive } from '../live.ts'
import { openProject } from '../open-project.ts'
import { placeOf, type ReleaseOptions } from '../release-options.ts'
import { inOrder } from '../stages.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'
import { leftShare } from './refresh.ts'
import { describeFlags, describeRule } from './rule-words.ts'
import { draftOf, printRule } from './rule-text.ts'
import { nothingLive } from './set-rollout.ts'

export interface StatusStage extends Stage {
  readonly state: 'past' | 'present' | 'to come'
}

/** Plain data, as `--json` prints it. */
export interface RolloutStatus {
  readonly kind: 'status'
  readonly name: string
  readonly channel: string
  readonly target: string
  /** The version that is offered. */
  readonly version: string
  /** Date of the release. */
  readonly released: string
  readonly sequence: number
  readonly issued: string
  readonly expires: string
  /** Percent of its life that is left; 0 after its end. */
  readonly leftPercent: number
  /** In the order of time. */
  readonly stages: readonly StatusStage[]
  readonly spread?: string
  readonly paused?: { readonly since?: string }
  readonly fallback?: ReleaseRef
  /** Versions that have to go back to the one that is offered. */
  readonly rollback?: readonly string[]
  readonly rules: readonly { readonly text: string; readonly words: string }[]
  readonly flags: readonly string[]
  readonly poll?: string
  /** Why agents of today refuse this manifest; absent when they accept it. */
  readonly refused?: { readonly code: string; readonly message: string; readonly exitCode: number }
}

/** @throws MoultError ERR_CONFIG_*, ERR_USAGE_INVALID when nothing is live, or what agents refuse the manifest with */
export async function rolloutStatus(
  options: Pick<ReleaseOptions, 'config' | 'channel'> = {},
  deps: ReleaseDeps = {},
): Promise<RolloutStatus> {
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around, [])
  const { channel } = placeOf(options, project.config)
  const { publisher, roots, name } = project
  const live = await readLive(publisher, roots[0], channel).catch((error: unknown) => {
    const { cause } = toMoultError(error)
    throw isMoultError(cause) ? cause : error
  })
  if (live === undefined) throw nothingLive(channel, publisher.target)
  const now = around.now()
  const { release, rollout } = live.manifest
  const { sequence, issued, expires, spread, paused, paused_since: since, fallback, rollback, poll } = rollout
  // As of the day of issue it was good; it may have expired since.
  const verdict = verifyManifest(live.bytes, { root: roots[0], channel, floor: NO_FLOOR }, now)
  return {
    kind: 'status',
    name,
    channel,
    target: publisher.target,
    version: release.version,
    released: release.release_date,
    sequence,
    issued,
    expires,
    leftPercent: Math.max(0, Math.floor(leftShare(rollout, now) * 100)),
    stages: markStages(rollout.stages, now),
    ...(spread === undefined ? {} : { spread }),
    ...(paused === true ? { paused: since === undefined ? {} : { since } } : {}),
    ...(fallback === undefined ? {} : { fallback }),
    ...(rollback === undefined ? {} : { rollback }),
    rules: (rollout.rules ?? []).map((rule) => ({ text: printRule(draftOf(rule)), words: describeRule(rule, now) })),
    flags: describeFlags(rollout.flags ?? {}),
    ...(poll === undefined ? {} : { poll }),
    ...(verdict.kind === 'accepted' ? {} : { refused: refusalOf(verdict.error) }),
  }
}

function markStages(stages: readonly Stage[], now: number): StatusStage[] {
  const begun = inOrder(stages).filter(({ atMs }) => atMs <= now).length
  return stages
    .toSorted((a, b) => (parseDate(a.at) ?? 0) - (parseDate(b.at) ?? 0))
    .map((stage, index) => ({
      ...stage,
      state: index === begun - 1 ? 'present' : index < begun ? 'past' : 'to come',
    }))
}

function refusalOf({ code, message, exitCode }: MoultError): NonNullable<RolloutStatus['refused']> {
  return { code, message, exitCode }
}
