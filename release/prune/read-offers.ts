// What agents may be told at present: the live manifest of every channel, and the one whose publishing began last, which
// some agent may have seen although it was put back.

import { type JsonValue, MoultError, NO_FLOOR, type Release, verifyManifest } from '../../manifests/index.ts'
import { type PastReleases, readPastReleases } from '../audit/past-releases.ts'
import { readFrom, readPast } from '../audit/walk-history.ts'
import { attemptPath, DEFAULT_CHANNEL, manifestPath, pathOf } from '../layout.ts'
import { type Live, readAttempted, readLive } from '../live.ts'
import type { Project } from '../open-project.ts'
import type { PublishedFile, Publisher } from '../publishers/publisher.ts'

export interface Offer {
  readonly channel: string
  readonly kind: 'live' | 'attempted'
  readonly release: Release
  /** Every string of the rollout statement: versions to go back from, the releases of pins and of the fallback. */
  readonly names: ReadonlySet<string>
  /** What the channel has offered last, by its history. */
  readonly past: PastReleases
}

/** Twenty-seven years of a manifest a day: only a defect has more. */
const MANIFESTS_MAX = 10_000

type Place = Pick<Project, 'publisher' | 'roots' | 'config'>

/**
 * Verifies every manifest of the place: a live one as an agent does that starts today, and that its files are there.
 * @param files all that is published
 * @param count how many versions of each channel are looked for in its history
 * @throws MoultError ERR_PUBLISH_FAILED when there is one that cannot be vouched for
 */
export async function readOffers(
  files: readonly PublishedFile[],
  count: number,
  place: Place,
  now: number,
): Promise<Offer[]> {
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
      offers.push(await offerOf(live, channel, 'live', count, publisher))
    }
    const attempted = await readAttempted(publisher, roots[0], channel)
    if (attempted !== undefined && attempted.sha256 !== live?.sha256)
      offers.push(await offerOf(attempted, channel, 'attempted', count, publisher))
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

async function offerOf(
  { bytes, manifest: { release } }: Live,
  channel: string,
  kind: Offer['kind'],
  versions: number,
  publisher: Publisher,
): Promise<Offer> {
  const newest = readPast(bytes)
  const past = await readPastReleases(newest, readFrom(publisher), { versions, manifests: MANIFESTS_MAX })
  return { channel, kind, release, past, names: new Set(stringsOf(newest.document['rollout'] ?? null)) }
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
    hint: 'Nothing was removed. Mend this channel first: see `moult verify`, and renew it with `moult refresh`.',
    details: { path, channel, ...(cause === undefined ? { reason } : { reason: cause.toJSON() }) },
    cause,
  })
}

export function isManifest(path: string, { channel }: Pick<Offer, 'channel'>): boolean {
  return path === manifestPath(channel) || path === attemptPath(channel)
}
