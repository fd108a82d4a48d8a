// published release -> verify -> rollout statement -> deliver (plan -> publish -> read back)

import {
  type JsonObject,
  MoultError,
  parseDate,
  parseStrictJson,
  RELEASE_UNSIGNED,
  type Stage,
  statementDigest,
} from '../../manifests/index.ts'
import { assertClock } from '../assert-clock.ts'
import { deliver } from '../deliver.ts'
import type { Live } from '../live.ts'
import { openProject } from '../open-project.ts'
import { type ReleaseOptions, termsOf } from '../release-options.ts'
import type { ReleaseResult } from '../release-result.ts'
import { type Released, readReleased } from '../released.ts'
import { makeRollout } from '../rollout-statement.ts'
import { datedStages } from '../stages.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'

export interface SetRolloutOptions extends Pick<
  ReleaseOptions,
  'config' | 'channel' | 'percent' | 'stages' | 'expires' | 'baseUrl' | 'plan'
> {
  /** A version that was released before, with or without a rollout. */
  readonly version: string
}

/**
 * Offers a released version to (a part of) the fleet of a channel, with the rollout key alone: nothing is built, and no
 * byte is published that the release role has not signed. Of the version that is live already, stages and other terms
 * stay unless they are given.
 * @throws MoultError with the code of the step that failed
 */
export async function setRollout(options: SetRolloutOptions, deps: ReleaseDeps = {}): Promise<ReleaseResult> {
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around, ['rollout'])
  await assertClock(project, around)
  const terms = termsOf(options, project.config)
  const { version } = options
  const isStaged = options.percent !== undefined || options.stages !== undefined

  return deliver({ ...terms, version, isPlan: options.plan === true }, project, around, async (live, now) => {
    const released = await readReleased(version, live, project)
    if (released === undefined) throw notReleased(version, project.publisher.target)
    assertNotAhead(released, now)
    const before = liveRollout(released, live)
    const stages = isStaged || before === undefined ? datedStages(terms.stages, now) : before.stages
    const rolloutTerms = { ...terms, stages, ...(before === undefined ? {} : { base: before.document }) }
    const rollout = await makeRollout(released.document, rolloutTerms, live, project, now)
    return { release: { ...released, isLive: false }, rollout, artifacts: [] }
  })
}

/** The rollout of this very release, when it is the live one: what a person set there MUST NOT be lost by the way. */
function liveRollout(
  { document }: Released,
  live: Live | undefined,
): { readonly document: JsonObject; readonly stages: readonly Stage[] } | undefined {
  if (live === undefined || live.manifest.releaseDigest !== statementDigest(document, RELEASE_UNSIGNED))
    return undefined
  const manifest = parseStrictJson(live.bytes) as JsonObject
  return { document: manifest['rollout'] as JsonObject, stages: live.manifest.rollout.stages }
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
