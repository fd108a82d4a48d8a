// list releases -> what lies between -> floors -> rollout statement with the way back -> deliver

import { compareVersions, isVersion, MoultError, type Rollout } from '../../manifests/index.ts'
import { assertClock } from '../assert-clock.ts'
import { deliver } from '../deliver.ts'
import { type Live, readLive } from '../live.ts'
import { openProject, type Project } from '../open-project.ts'
import { readReleases, versionOfDocument } from '../prune/read-releases.ts'
import { placeOf } from '../release-options.ts'
import type { ReleaseResult } from '../release-result.ts'
import { liveRolloutOf, rolloutContext, signRollout } from '../rollout-statement.ts'
import { type ReleaseDeps, type Surroundings, surroundingsOf } from '../surroundings.ts'
import { composeRollback } from './compose-rollout.ts'
import type { RestateOptions } from './restate-rollout.ts'
import { rolloutTermsOf } from './rollout-terms.ts'
import { assertVersion, nothingLive, overtaken, publishedRelease } from './set-rollout.ts'

/** As many as a rollout can name. */
const VERSIONS_MAX = 64

export interface RollbackOptions extends RestateOptions {
  /** An older published version, which the channel goes back to. */
  readonly version: string
  /** The versions that agents leave, besides the live one; default: all that are published between. */
  readonly from?: readonly string[] | undefined
  readonly expires?: string | undefined
}

/**
 * Sends a channel back: it offers an older release at once to all, and names the versions that have to leave for it.
 * @throws MoultError ERR_POLICY_REFUSED when agents would refuse, or with the code of the step that failed
 */
export async function rollback(options: RollbackOptions, deps: ReleaseDeps = {}): Promise<ReleaseResult> {
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around, ['rollout'])
  await assertClock(project, around)
  const { version } = options
  const place = placeOf(options, project.config)
  const { expires } = rolloutTermsOf({ expires: options.expires }, project.config)
  const before = await readLive(project.publisher, project.roots[0], place.channel)
  if (before === undefined) throw nothingLive(place.channel, project.publisher.target)
  if (options.live !== undefined && before.manifest.release.version !== options.live) throw overtaken(place.channel)
  assertVersion(version)
  assertOlder(version, before)
  const leaving = await leavingVersions(options, before, project, around)

  const target = { ...place, version, isPlan: options.plan === true, mayBeOlder: true }
  return deliver(target, project, around, async (live, now) => {
    if (live?.manifest.releaseDigest !== before.manifest.releaseDigest) throw overtaken(place.channel)
    const released = await publishedRelease(version, live, project, now)
    const context = await rolloutContext(released.document, place.channel, live, project, now)
    const statement = composeRollback(leaving, expires, context)
    noteKept(liveRolloutOf(live).rollout, around)
    return { release: { ...released, isLive: false }, rollout: await signRollout(statement, project), artifacts: [] }
  })
}

/** Newest first. @throws MoultError ERR_USAGE_INVALID or ERR_POLICY_REFUSED */
async function leavingVersions(
  { version, from }: RollbackOptions,
  live: Live,
  project: Project,
  around: Surroundings,
): Promise<string[]> {
  const head = live.manifest.release.version
  // After one way back, agents that were away may still run what it was from.
  const onTheWay = live.manifest.rollout.rollback ?? []
  const isBetween = (one: string): boolean =>
    compareVersions(one, version) > 0 && (compareVersions(one, head) <= 0 || onTheWay.includes(one))
  for (const one of from ?? []) {
    if (isVersion(one) && isBetween(one)) continue
    throw new MoultError('ERR_USAGE_INVALID', `--from: expected versions above ${version}, up to ${head}, got ${one}`)
  }
  const files = await project.publisher.list('releases/')
  const isLeaving = (one: string | undefined): boolean =>
    one !== undefined && (one === head || (from === undefined ? isBetween(one) : from.includes(one)))
  const documents = files.filter(({ path }) => isLeaving(versionOfDocument(path)))
  const published = documents.map(({ path }) => versionOfDocument(path) ?? '')
  const named = from ?? onTheWay.filter(isBetween)
  const versions = [...new Set([head, ...published, ...named])].toSorted((a, b) => compareVersions(b, a))
  if (versions.length > VERSIONS_MAX) {
    throw new MoultError('ERR_USAGE_INVALID', `${versions.length} versions are newer than ${version}: at most 64 fit`, {
      hint: 'Name those that agents may run: --from <version>, once for each.',
      details: { versions: versions.length, max: VERSIONS_MAX },
    })
  }
  const found = await readReleases(documents, project, around)
  const releases = [live.manifest.release, ...found.flatMap((one) => (one.kind === 'known' ? [one.release] : []))]
  for (const { version: one, rollback_floor: floor } of releases) {
    if (floor === undefined || compareVersions(floor, version) <= 0) continue
    throw new MoultError('ERR_POLICY_REFUSED', `${one} was released with the rollback floor ${floor}: ${version}`, {
      hint: `Agents that have run ${one} would refuse. Go back to ${floor} or later, or release the old code under a new version.`,
      details: { version, by: one, floor },
    })
  }
  for (const one of found)
    if (one.kind === 'unknown')
      around.on({ kind: 'note', text: `The rollback floor of ${one.version} is not known: ${one.reason}.` })
  return versions
}

function assertOlder(version: string, { manifest: { release } }: Live): void {
  if (compareVersions(version, release.version) < 0) return
  throw new MoultError('ERR_USAGE_INVALID', `not older than the live ${release.version}: ${version}`, {
    hint: 'Offer it with `moult rollout set`.',
    details: { version, live: release.version },
  })
}

/** A person set them; whether they are to outlive the way back is for a person, too. */
function noteKept({ rules = [] }: Rollout, around: Surroundings): void {
  const count = rules.filter(({ pin, hold }) => pin !== undefined || hold === true).length
  if (count === 0) return
  const text = `${count === 1 ? 'A rule that holds or pins agents is' : `${count} rules that hold or pin agents are`} kept; agents on a version that has to go back leave it all the same.`
  around.on({ kind: 'note', text })
}
