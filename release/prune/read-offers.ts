// What agents may be told at present: the live manifest of every channel, and the one whose publishing began last, which
// some agent may have seen although it was put back.

import {
  type JsonObject,
  type JsonValue,
  MoultError,
  NO_FLOOR,
  parseStrictJson,
  type Release,
  verifyManifest,
} from '../../manifests/index.ts'
import { attemptPath, DEFAULT_CHANNEL, manifestPath, pathOf } from '../layout.ts'
import { type Live, readAttempted, readLive } from '../live.ts'
import type { Project } from '../open-project.ts'
import type { PublishedFile } from '../publishers/publisher.ts'

export interface Offer {
  readonly channel: string
  readonly kind: 'live' | 'attempted'
  readonly release: Release
  /** Every string of the rollout statement: versions to go back from, and whatever later rules of it name. */
  readonly names: ReadonlySet<string>
}

type Place = Pick<Project, 'publisher' | 'roots' | 'config'>

/**
 * Verifies every manifest of the place: a live one as an agent does that starts today, and that its files are there.
 * @param files all that is published
 * @throws MoultError ERR_PUBLISH_FAILED when there is one that cannot be vouched for
 */
export async function readOffers(files: readonly PublishedFile[], place: Place, now: number): Promise<Offer[]> {
  const { publisher, roots } = place
  const sizes = new Map(files.map(({ path, size }) => [path, size]))
  const offers: Offer[] = []
  for (const channel of await channelsOf(files, place)) {
    const live = await readLive(publisher, roots[0], channel)
    // Gone between the list and the look at it, or lost: which of the two is for a person to find out.
    if (live === undefined && sizes.has(manifestPath(channel))) throw unsure(channel, 'listed, and cannot be read')
    if (live !== undefined) {
      assertGoodToday(live, channel, place, now)
      assertWhole(live.manifest.release, channel, sizes, place)
      offers.push(offerOf(live, channel, 'live'))
    }
    const attempted = await readAttempted(publisher, roots[0], channel)
    if (attempted !== undefined && attempted.sha256 !== live?.sha256)
      offers.push(offerOf(attempted, channel, 'attempted'))
  }
  return offers
}

/** Also those that have no manifest any more, or none yet. */
async function channelsOf(files: readonly PublishedFile[], { publisher }: Place): Promise<string[]> {
  const channels = new Set(await publisher.channels())
  for (const { path } of files) {
    const manifest = /^(?:([^/]+)\/)?(?:version|\.attempted)\.json$/.exec(path)
    if (manifest !== null) channels.add(manifest[1] ?? DEFAULT_CHANNEL)
  }
  return [...channels].toSorted()
}

function offerOf({ bytes, manifest }: Live, channel: string, kind: Offer['kind']): Offer {
  const { rollout = null } = parseStrictJson(bytes) as JsonObject
  return { channel, kind, release: manifest.release, names: new Set(stringsOf(rollout)) }
}

function stringsOf(value: JsonValue): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Array.isArray(value)
    ? value.flatMap(stringsOf)
    : Object.entries(value).flatMap(([key, member]) => [key, ...stringsOf(member)])
}

/** `readLive` looks as of the day of issue. An expired one here may mean that this clock is wrong, or the copy old. */
function assertGoodToday({ bytes }: Live, channel: string, { roots: [root] }: Place, now: number): void {
  const verdict = verifyManifest(bytes, { root, channel, floor: NO_FLOOR }, now)
  if (verdict.kind === 'refused') throw unsure(channel, verdict.error.message, verdict.error)
}

/** Hashes are for `moult verify`; a file that is not there needs no hash. */
function assertWhole(
  { binaries, attachments = {} }: Release,
  channel: string,
  sizes: ReadonlyMap<string, number>,
  { config }: Place,
): void {
  const named = [
    ...Object.values(binaries).flatMap((one) => [one, ...(one.downloads ?? [])]),
    ...Object.values(attachments),
  ]
  for (const { url, size } of named) {
    const isRelative = pathOf(url, undefined)
    const path = isRelative ?? (config.baseUrl === undefined ? undefined : pathOf(url, config.baseUrl))
    if (path === undefined || sizes.get(path) === size) continue
    throw unsure(channel, `${sizes.has(path) ? 'of another size than signed' : 'missing'}: ${path}`)
  }
}

function unsure(channel: string, reason: string, cause?: MoultError): MoultError {
  const path = manifestPath(channel)
  return new MoultError('ERR_PUBLISH_FAILED', `agents cannot use the live manifest (${reason}): ${path}`, {
    hint: 'Nothing was removed. Mend this channel first: see `moult verify`, and renew it with `moult rollout set`.',
    details: { path, channel, ...(cause === undefined ? { reason } : { reason: cause.toJSON() }) },
    cause,
  })
}

export function isManifest(path: string, { channel }: Pick<Offer, 'channel'>): boolean {
  return path === manifestPath(channel) || path === attemptPath(channel)
}
