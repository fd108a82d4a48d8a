// Manifests. That of one channel is the latest release of the repository: each change is a new release, and the address
// of the latest one flips when it is published. Those of other channels lie in a release that stays, in which an asset
// has to go before the next can take its name: for the time of one request there is none, and agents poll again later.

import { randomBytes } from 'node:crypto'

import { MANIFEST_MAX_BYTES, MoultError, sha256 } from '../../manifests/index.ts'
import { assetOf, deleteAsset, openAsset, renameAsset, uploadAsset } from './github-assets.ts'
import type { GitHubConnection } from './github-client.ts'
import { MANIFEST_ASSET, pendingName, seriesNumber, seriesTag } from './github-layout.ts'
import {
  burntTag,
  createDraft,
  deleteRelease,
  findPublished,
  findRelease,
  type GitHubAsset,
  type GitHubRelease,
  isOwn,
  type KnownDrafts,
  listReleases,
  publishDraft,
  readRelease,
} from './github-releases.ts'
import { latestText, channelText } from './github-text.ts'
import { manifestConflict } from './publish-conflict.ts'
import type { PublishFile } from './publisher.ts'
import { collect } from './read-stream.ts'

/** Tags of immutable releases that somebody deleted, one after the other. */
const BURNT_MAX = 20

export interface LiveManifest {
  readonly release: GitHubRelease
  readonly asset: GitHubAsset
}

/** The one with the highest number, whatever a person made the latest release meanwhile. */
export async function findLatestManifest(
  github: GitHubConnection,
  channel: string,
): Promise<(LiveManifest & { readonly number: number }) | undefined> {
  const found = (await listReleases(github)).flatMap((release) => {
    const number = release.draft ? undefined : seriesNumber(release.tag_name, channel)
    const asset = assetOf(release, MANIFEST_ASSET)
    return number === undefined || asset === undefined ? [] : [{ release, asset, number }]
  })
  return found.toSorted((a, b) => b.number - a.number)[0]
}

export async function findStayingManifest(
  github: GitHubConnection,
  channel: string,
): Promise<LiveManifest | undefined> {
  const release = await findPublished(github, channel)
  const asset = assetOf(release, MANIFEST_ASSET)
  return release === undefined || asset === undefined ? undefined : { release, asset }
}

/** @throws MoultError ERR_PUBLISH_CONFLICT */
export async function replaceLatestManifest(
  github: GitHubConnection,
  channel: string,
  path: string,
  bytes: Uint8Array | undefined,
  expected: string | undefined,
): Promise<void> {
  const before = await findLatestManifest(github, channel)
  await assertExpected(github, before, path, expected)
  if (bytes === undefined) return before && deleteRelease(github, before.release)

  const next = (before?.number ?? 0) + 1
  for (let number = next; number < next + BURNT_MAX; number++) {
    const draft = await createDraft(github, seriesTag(channel, number), latestText(channel, bytes, github.webUrl))
    await uploadAsset(github, draft, MANIFEST_ASSET, fileOf(bytes))
    // Whoever publishes this number has won: what it replaces is the one that was read.
    const { kind } = await publishDraft(github, draft, true)
    if (kind === 'published') return
    await deleteRelease(github, draft)
    if (kind === 'burnt') continue
    const winner = await findPublished(github, draft.tag_name)
    throw await conflict(github, path, assetOf(winner, MANIFEST_ASSET))
  }
  throw burntTag(seriesTag(channel, next + BURNT_MAX))
}

/** @throws MoultError ERR_PUBLISH_CONFLICT, or ERR_PUBLISH_REFUSED where releases are immutable */
export async function replaceStayingManifest(
  github: GitHubConnection,
  channel: string,
  path: string,
  bytes: Uint8Array | undefined,
  expected: string | undefined,
  drafts: KnownDrafts,
): Promise<void> {
  const release = (await findRelease(github, channel, drafts)) ?? (await createChannel(github, channel, drafts))
  const old = assetOf(release, MANIFEST_ASSET)
  const live = old === undefined || release.draft ? undefined : { release, asset: old }
  await assertExpected(github, live, path, expected)
  if (bytes === undefined) return live && deleteAsset(github, live.asset)
  await assertMutable(github, release)

  const pending = pendingName(MANIFEST_ASSET, randomBytes(4).toString('hex'))
  const asset = await uploadAsset(github, release, pending, fileOf(bytes))
  if (old !== undefined) await deleteAsset(github, old)
  // Of several, one gets the name.
  if (!(await renameAsset(github, asset, MANIFEST_ASSET))) {
    await deleteAsset(github, asset)
    throw await conflict(github, path, (await findStayingManifest(github, channel))?.asset)
  }
  const now = release.draft ? await publishChannel(github, release) : await readRelease(github, channel, release.id)
  // The draft of this run is of no use any more; the next sweep removes it.
  if (now?.id !== release.id) drafts.delete(channel)
  const winner = assetOf(now, MANIFEST_ASSET)
  if (winner?.id !== asset.id) throw await conflict(github, path, winner)
}

async function createChannel(github: GitHubConnection, channel: string, drafts: KnownDrafts): Promise<GitHubRelease> {
  const draft = await createDraft(github, channel, channelText(channel))
  drafts.set(channel, draft.id)
  return draft
}

/** The release that has the tag now: this one, or that of another run that was faster. */
async function publishChannel(github: GitHubConnection, draft: GitHubRelease): Promise<GitHubRelease | undefined> {
  const published = await publishDraft(github, draft, false)
  if (published.kind === 'burnt') throw burntTag(draft.tag_name)
  return published.kind === 'published' ? published.release : findPublished(github, draft.tag_name)
}

/** Known before agents depend on an address that can never change: the releases of versions are published earlier. */
async function assertMutable(github: GitHubConnection, release: GitHubRelease): Promise<void> {
  const all = release.draft ? await listReleases(github) : [release]
  if (!all.some((one) => one.immutable === true && isOwn(one))) return
  const channel = release.tag_name
  throw new MoultError('ERR_PUBLISH_REFUSED', `the releases of this repository are immutable: ${channel}`, {
    hint: `Give the channel ${channel} a repository of its own, with \`"latest": "${channel}"\` in \`publish.github\`.`,
    details: { channel, target: github.target },
  })
}

async function assertExpected(
  github: GitHubConnection,
  live: LiveManifest | undefined,
  path: string,
  expected: string | undefined,
): Promise<void> {
  const bytes = await bytesOf(github, path, live?.asset)
  if ((bytes && sha256(bytes)) !== expected) throw manifestConflict(path, bytes)
}

async function conflict(github: GitHubConnection, path: string, winner: GitHubAsset | undefined): Promise<MoultError> {
  return manifestConflict(path, await bytesOf(github, path, winner))
}

async function bytesOf(
  github: GitHubConnection,
  path: string,
  asset: GitHubAsset | undefined,
): Promise<Uint8Array | undefined> {
  const chunks = asset && (await openAsset(github, asset))
  return chunks && collect(chunks, MANIFEST_MAX_BYTES, path)
}

function fileOf(bytes: Uint8Array): PublishFile {
  return { size: bytes.length, sha256: sha256(bytes), source: { bytes } }
}
