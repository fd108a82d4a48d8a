// The live rollout of a channel once more: the same release, a new sequence, and what a command changes of it.

import { formatDuration, parseDate, type Rollout } from '../../manifests/index.ts'
import { deliver } from '../deliver.ts'
import { manifestPath } from '../layout.ts'
import { readLive } from '../live.ts'
import type { Project } from '../open-project.ts'
import { placeOf, type ReleaseOptions } from '../release-options.ts'
import type { ReleaseResult } from '../release-result.ts'
import { liveRolloutOf, rolloutContext, signRollout } from '../rollout-statement.ts'
import type { Surroundings } from '../surroundings.ts'
import { type LiveRollout, stampRollout } from './compose-rollout.ts'
import { nothingLive, overtaken, publishedRelease } from './set-rollout.ts'

export interface RestateOptions extends Pick<ReleaseOptions, 'config' | 'channel' | 'baseUrl' | 'plan'> {
  /** The live version that somebody has looked at or agreed to leave; another one is an error then. */
  readonly live?: string | undefined
}

/** What is to be stated; undefined: the live statement says it already. */
export type RolloutChange = (rollout: LiveRollout['rollout'], now: number) => LiveRollout['rollout'] | undefined

/** The life of the statement is as long again. @throws MoultError with the code of the step that failed */
export async function restateRollout(
  options: RestateOptions,
  change: RolloutChange,
  project: Project,
  around: Surroundings,
): Promise<ReleaseResult> {
  const { channel, baseUrl } = placeOf(options, project.config)
  const { publisher, roots } = project
  const before = await readLive(publisher, roots[0], channel)
  if (before === undefined) throw nothingLive(channel, publisher.target)
  const { version } = before.manifest.release
  if (options.live !== undefined && options.live !== version) throw overtaken(channel)
  // Nothing to do, and nothing to read back: a job that looks every hour should not fetch every artifact.
  if (change(liveRolloutOf(before).rollout, around.now()) === undefined) return unchanged(version, channel, project)

  const target = { version, channel, baseUrl, isPlan: options.plan === true, mayBeOlder: true }
  return deliver(target, project, around, async (live, now) => {
    if (live?.manifest.releaseDigest !== before.manifest.releaseDigest) throw overtaken(channel)
    const released = await publishedRelease(version, live, project, now)
    const { rollout } = liveRolloutOf(live)
    const next = change(rollout, now)
    if (next === undefined) return { release: { ...released, isLive: true }, rollout: undefined, artifacts: [] }
    const context = await rolloutContext(released.document, channel, live, project, now)
    const statement = stampRollout(next, lifeOf(rollout), context)
    return { release: { ...released, isLive: false }, rollout: await signRollout(statement, project), artifacts: [] }
  })
}

function lifeOf({ issued, expires }: Rollout): string {
  return formatDuration((parseDate(expires) ?? 0) - (parseDate(issued) ?? 0))
}

function unchanged(version: string, channel: string, { name, publisher }: Project): ReleaseResult {
  const { target } = publisher
  return { kind: 'unchanged', name, version, channel, target, manifest: manifestPath(channel), files: [] }
}
