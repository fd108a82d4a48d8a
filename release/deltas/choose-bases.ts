// Which published releases get a delta to the new one: those that the channel offered last, and those that the fleet runs.

import { isMoultError, MANIFEST_MAX_BYTES, MoultError, type Release } from '../../manifests/index.ts'
import { readPastReleases } from '../audit/past-releases.ts'
import { readFrom, readPast } from '../audit/walk-history.ts'
import { DEFAULT_CHANNEL, releasePath } from '../layout.ts'
import { type Live, readLive } from '../live.ts'
import type { Project } from '../open-project.ts'
import { parseOnceReleased } from '../released.ts'
import type { Surroundings } from '../surroundings.ts'
import type { DeltaTerms } from './delta-terms.ts'

/** A release as it was signed once, by keys that may have been replaced since. */
export interface DeltaBase {
  readonly version: string
  readonly release: Release
}

export interface DeltaTarget {
  readonly version: string
  readonly channel: string
  readonly live: Live | undefined
  readonly baseUrl: string | undefined
  /** What the fleet runs, most agents first; empty when nobody said it. */
  readonly fleetVersions: readonly string[]
}

/** Each is a request to the place; a channel that changes its rollout so often has fewer deltas. */
const MANIFESTS_MAX = 200
/** Made-up versions in a log cost a request each. */
const FLEET_TRIES_MAX = 20

/** The most wanted first. What cannot be had is told in a note. */
export async function chooseBases(
  { version, channel, live, fleetVersions }: DeltaTarget,
  terms: DeltaTerms,
  project: Project,
  around: Surroundings,
): Promise<DeltaBase[]> {
  const last = await lastOffered(live, terms.last + 1, project)
  const own = last.filter((one) => one !== version).slice(0, terms.last)
  // Where releases are tried before they are promoted to the default channel, its agents come from what is live there.
  const promoted = channel === DEFAULT_CHANNEL || terms.last === 0 ? [] : await liveOnDefault(project)
  const named = new Set([...own, ...promoted.filter((one) => one !== version)])
  const bases = await readBases([...named], project, around)
  const others = fleetVersions.filter((one) => one !== version && !named.has(one)).slice(0, FLEET_TRIES_MAX)
  return [...bases, ...(await readFirst(others, terms.fleet, project, around))]
}

/** What cannot be had is told in a note. */
export async function readBases(
  versions: readonly string[],
  project: Project,
  around: Surroundings,
): Promise<DeltaBase[]> {
  const read = await Promise.all(versions.map((version) => readBase(version, project, around)))
  return read.filter((base) => base !== undefined)
}

async function readFirst(
  versions: readonly string[],
  count: number,
  project: Project,
  around: Surroundings,
): Promise<DeltaBase[]> {
  const found: DeltaBase[] = []
  for (const version of versions) {
    if (found.length === count) break
    const base = await readBase(version, project, around)
    if (base !== undefined) found.push(base)
  }
  return found
}

async function lastOffered(live: Live | undefined, count: number, { publisher }: Project): Promise<string[]> {
  if (live === undefined || count === 1) return []
  const bounds = { versions: count, manifests: MANIFESTS_MAX }
  const { offers } = await readPastReleases(readPast(live.bytes), readFrom(publisher), bounds)
  return offers.map(({ release }) => release.version)
}

/** Another channel's damage is no matter of this release. */
async function liveOnDefault({ publisher, roots }: Project): Promise<string[]> {
  const live = await readLive(publisher, roots[0], DEFAULT_CHANNEL).catch(passMoultError)
  return live === undefined ? [] : [live.manifest.release.version]
}

function passMoultError(error: unknown): undefined {
  if (!isMoultError(error)) throw error
}

async function readBase(version: string, project: Project, around: Surroundings): Promise<DeltaBase | undefined> {
  const path = releasePath(version)
  try {
    const bytes = await project.publisher.read(path, MANIFEST_MAX_BYTES)
    if (bytes === undefined) throw new MoultError('ERR_PUBLISH_FAILED', `not published, or removed since: ${path}`)
    return { version, release: parseOnceReleased(bytes, version, project).release }
  } catch (error) {
    around.signal.throwIfAborted()
    if (!isMoultError(error)) throw error
    around.on({ kind: 'note', text: `no delta from ${version} (${error.message})` })
    return undefined
  }
}
