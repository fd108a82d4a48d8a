import { isMoultError, MoultError, sha256, statementDigest } from '../../manifests/index.ts'
import { feedPath, historyPath, releasePath, urlOf } from '../layout.ts'
import type { Live } from '../live.ts'
import type { Project } from '../open-project.ts'
import type { PlannedFile } from '../plan-publish.ts'
import type { Publisher } from '../publishers/publisher.ts'
import { step, type Surroundings } from '../surroundings.ts'
import { entryId, feedText } from './feed-text.ts'
import { readPastReleases } from './past-releases.ts'
import { readFrom, type ReadPath, readPast } from './walk-history.ts'

const ENTRIES_MAX = 20
/** Each is a request to the place, and a feed that is shorter for it is none the worse. */
const MANIFESTS_MAX = 200
const FEED_MAX_BYTES = 2 ** 20

export type PlannedFeed = PlannedFile & { readonly bytes: Uint8Array }

export interface FeedInput {
  /** The manifest that is to be live. */
  readonly manifest: Uint8Array
  readonly live: Live | undefined
  readonly channel: string
  readonly baseUrl: string | undefined
}

type Place = Pick<Project, 'publisher' | 'roots' | 'config'>

/**
 * The feed of a channel, from the history alone: what lies there is not signed, and nothing of it is used again. It is
 * made anew when it does not tell of the release yet, so a rollout that widens or is renewed costs one read. Undefined
 * where nothing is to be written; a feed is worth no failed release.
 */
export async function planFeed(input: FeedInput, place: Place, around: Surroundings): Promise<PlannedFeed | undefined> {
  if (place.publisher.feedUrl !== undefined) return undefined
  const path = feedPath(input.channel)
  try {
    const newest = readPast(input.manifest)
    if (await tellsOf(newest.rollout.release, path, place.publisher)) return undefined
    const bytes = await makeFeed(newest, input, place)
    return { path, size: bytes.length, sha256: sha256(bytes), action: 'write', bytes }
  } catch (error) {
    return pass(error, path, around)
  }
}

/** After the read-back: what was put back is told to nobody. */
export async function publishFeed(
  { path, size, sha256: hash, bytes }: PlannedFeed,
  publisher: Publisher,
  around: Surroundings,
): Promise<void> {
  try {
    await step(around, 'publish', path, () => publisher.putArtifact(path, { size, sha256: hash, source: { bytes } }))
  } catch (error) {
    pass(error, path, around)
  }
}

async function makeFeed(
  newest: ReturnType<typeof readPast>,
  { live, channel, baseUrl }: FeedInput,
  { publisher, roots: [root], config }: Place,
): Promise<Uint8Array> {
  const fromPlace = readFrom(publisher)
  // The one before need not be in the history yet.
  const read: ReadPath = async (path) =>
    live !== undefined && path === historyPath(live.sha256) ? live.bytes : fromPlace(path)
  const { offers } = await readPastReleases(newest, read, { versions: ENTRIES_MAX, manifests: MANIFESTS_MAX })
  const base = config.publish?.url?.replace(/\/version\.json$/, '') ?? baseUrl
  const upward = base === undefined ? (newest.rollout.base ?? '') : ''
  const text = feedText({
    name: root.name,
    channel,
    project: statementDigest(root.document, ['signatures']),
    updated: newest.rollout.issued,
    url: base === undefined ? undefined : urlOf(feedPath(channel), base),
    entries: offers.map(({ release, rollout }) => ({
      version: release.version,
      digest: rollout.release,
      released: release.release_date,
      changelog: release.changelog,
      url: upward + urlOf(releasePath(release.version), base),
    })),
  })
  return new TextEncoder().encode(text)
}

async function tellsOf(digest: string, path: string, publisher: Publisher): Promise<boolean> {
  try {
    const bytes = await publisher.read(path, FEED_MAX_BYTES)
    return bytes !== undefined && Buffer.from(bytes).includes(`<id>${entryId(digest)}</id>`)
  } catch (error) {
    if (isMoultError(error)) return false
    throw error
  }
}

/** @throws what is no failure of the place, such as an interruption or a defect */
function pass(error: unknown, path: string, { on, signal }: Surroundings): undefined {
  signal.throwIfAborted()
  if (!(error instanceof MoultError)) throw error
  on({ kind: 'note', text: `not written, and tried again by the next publish (${error.message}): ${path}` })
}
