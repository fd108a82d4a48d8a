// live manifest -> (the change that is looked at) -> each agent of a list -> who moves when, and why

import {
  type AgentFacts,
  checkShape,
  formatDate,
  isVersion,
  type Manifest,
  MANIFEST_MAX_BYTES,
  MoultError,
  parseDate,
  type Platform,
  type Release,
  type ReleaseNeeded,
  RELEASE_UNSIGNED,
  ROLLOUT_UNSIGNED,
  rolloutShape,
  statementDigest,
  type Verified,
  verifyRelease,
  withOtherReleases,
} from '../../manifests/index.ts'
import { releasePath } from '../layout.ts'
import { type Live, readLive } from '../live.ts'
import { openProject, type Project } from '../open-project.ts'
import { placeOf, type ReleaseOptions } from '../release-options.ts'
import { draftRollout } from '../rollout/draft-rollout.ts'
import { type RolloutOptions, rolloutTermsOf } from '../rollout/rollout-terms.ts'
import { nothingLive, publishedRelease } from '../rollout/set-rollout.ts'
import { type ReleaseDeps, type Surroundings, surroundingsOf } from '../surroundings.ts'
import { type PreviewedAgent, previewAgent } from './preview-agent.ts'
import type { FleetAgent } from './read-fleet.ts'
import { adoptionCurve, type CurvePoint, groupMoves, groupRest, type MoveGroup, type RestGroup } from './sum-up.ts'

const DEFAULT_PLATFORM: Platform = 'linux-amd64'

export interface PreviewOptions extends RolloutOptions, Pick<ReleaseOptions, 'config' | 'channel' | 'baseUrl'> {
  readonly agents: readonly FleetAgent[]
  /** Looks at this release instead of the live one, as if it were offered by the given terms. */
  readonly version?: string | undefined
  /** Milliseconds since 1970: the time that is looked at, and that of the change; default: now. */
  readonly atMs?: number | undefined
  /** What agents run that say nothing of it; default: the fallback's version, else nothing. */
  readonly running?: string | undefined
}

export interface Preview {
  readonly kind: 'preview'
  readonly name: string
  readonly channel: string
  /** The version that is offered. */
  readonly version: string
  /** Whether this is the live rollout, or one that nobody has signed. */
  readonly isLive: boolean
  readonly at: string
  readonly expires: string
  /** What was taken for agents that say nothing of it. */
  readonly assumed: { readonly platform: Platform; readonly running?: string }
  readonly moves: readonly MoveGroup[]
  readonly rest: readonly RestGroup[]
  readonly curve: readonly CurvePoint[]
  readonly agents: readonly PreviewedAgent[]
  readonly warnings: readonly string[]
}

/**
 * Who updates when, by the decision that agents make. What their owners have laid down (windows, approval, pins, caps) is
 * not known here, and can only hold them back.
 * @throws MoultError ERR_CONFIG_*, ERR_USAGE_INVALID, ERR_POLICY_REFUSED, ERR_MANIFEST_* or ERR_TRUST_*
 */
export async function preview(options: PreviewOptions, deps: ReleaseDeps = {}): Promise<Preview> {
  if (options.running !== undefined && !isVersion(options.running))
    throw new MoultError('ERR_USAGE_INVALID', `--running: expected a version such as 1.4.2, got ${options.running}`)
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around, [])
  const { channel } = placeOf(options, project.config)
  const live = await readLive(project.publisher, project.roots[0], channel)
  const now = options.atMs ?? around.now()
  const manifest = await manifestToShow(options, live, project, around, now)
  const { release, rollout } = manifest
  const running = options.running ?? rollout.fallback?.version
  const assumed = { platform: DEFAULT_PLATFORM, ...(running === undefined ? {} : { running }) }
  const { agents, warnings } = await previewAll(manifest, options.agents, assumed, live, project, now)
  return {
    kind: 'preview',
    name: project.name,
    channel,
    version: release.version,
    isLive: manifest === live?.manifest,
    at: formatDate(now),
    expires: rollout.expires,
    assumed,
    moves: groupMoves(agents),
    rest: groupRest(agents),
    curve: adoptionCurve(agents, release.version, now),
    agents,
    warnings: [...warnings, ...warningsAbout(agents, options.agents, parseDate(rollout.expires) ?? 0, rollout.expires)],
  }
}

async function manifestToShow(
  options: PreviewOptions,
  live: Live | undefined,
  project: Project,
  around: Surroundings,
  now: number,
): Promise<Verified<Manifest>> {
  const { agents: _agents, config: _config, channel: _channel, baseUrl: _baseUrl, ...rest } = options
  const { version, atMs: _atMs, running: _running, ...terms } = rest
  const isChange = version !== undefined || Object.values(terms).some((term) => term !== undefined)
  const draftTerms = { ...placeOf(options, project.config), rollout: rolloutTermsOf(terms, project.config) }
  if (live === undefined && version === undefined) throw nothingLive(draftTerms.channel, project.publisher.target)
  if (live !== undefined && !isChange) return live.manifest
  const released = await publishedRelease(version ?? live?.manifest.release.version ?? '', live, project, now)
  const statement = await draftRollout(released, draftTerms, live, project, around, now)
  const manifest: Manifest = {
    release: released.release,
    rollout: checkShape(rolloutShape, statement, 'rollout'),
    releaseDigest: statementDigest(released.document, RELEASE_UNSIGNED),
    rolloutDigest: statementDigest(statement, ROLLOUT_UNSIGNED),
  }
  // Nobody has signed this rollout; nothing is installed by it, and it leaves this file as counts and times only.
  return manifest as Verified<Manifest>
}

async function previewAll(
  manifest: Verified<Manifest>,
  fleet: readonly FleetAgent[],
  assumed: Preview['assumed'],
  live: Live | undefined,
  project: Project,
  now: number,
): Promise<{ agents: PreviewedAgent[]; warnings: string[] }> {
  const others = new Map<string, Verified<Release> | undefined>()
  const warnings: string[] = []
  const agents: PreviewedAgent[] = []
  for (const agent of fleet) {
    const facts = factsOf(agent, assumed)
    const ask = (): ReturnType<typeof previewAgent> => previewAgent(manifest, facts, now, others)
    agents.push(await withOtherReleases(others, ask, (needed) => releaseFor(needed, live, project, warnings)))
  }
  return { agents, warnings }
}

/** What a list of the fleet says of an agent, as the facts of its own decision. */
export function factsOf({ id, platform, version, labels }: FleetAgent, assumed: Preview['assumed']): AgentFacts {
  const running = version === undefined ? assumed.running : (version ?? undefined)
  return { id, platform: platform ?? assumed.platform, running, labels, quarantine: new Set() }
}

/** As agents fetch it: a pin that cannot be had is an error, a fallback that cannot be had is passed over. */
async function releaseFor(
  { ref, reason }: ReleaseNeeded,
  live: Live | undefined,
  { publisher, roots }: Project,
  warnings: string[],
): Promise<Verified<Release> | undefined> {
  const path = releasePath(ref.version)
  const root = live?.root ?? roots.at(-1) ?? roots[0]
  try {
    const bytes = await publisher.read(path, MANIFEST_MAX_BYTES)
    if (bytes === undefined)
      throw new MoultError('ERR_NETWORK_STATUS', `not found: ${path}`, { details: { path, version: ref.version } })
    return verifyRelease(bytes, ref, root)
  } catch (error) {
    if (reason !== 'held-back' || !(error instanceof MoultError)) throw error
    warnings.push(`agents pass over the fallback ${ref.version}: ${error.message}`)
    return undefined
  }
}

function warningsAbout(
  agents: readonly PreviewedAgent[],
  fleet: readonly FleetAgent[],
  expiresMs: number,
  expires: string,
): string[] {
  const late = agents.filter(({ moves }) => moves.some(({ atMs }) => atMs >= expiresMs)).length
  const unpinned = agents.filter(({ lostPin }) => lostPin !== undefined)
  const repeated = fleet.length - new Set(fleet.map(({ id }) => id)).size
  return [
    ...(late === 0 ? [] : [`the rollout expires on ${expires}: ${late} agents move only if it is refreshed before`]),
    ...(unpinned.length === 0
      ? []
      : [
          `${unpinned.length} agents match a pin that does not count, such as ${JSON.stringify(unpinned[0]?.id)}: from ${unpinned[0]?.lostPin} they would be sent on again`,
        ]),
    ...(repeated === 0 ? [] : [`${repeated} ids are in the list more than once: agents of one id update together`]),
  ]
}
