// Publishes as releases of a GitHub repository: see github-layout.ts for what lies where.

import { randomBytes } from 'node:crypto'

import { MoultError, sha256 } from '../../manifests/index.ts'
import type { Digest } from '../durable-files.ts'
import { DEFAULT_CHANNEL } from '../layout.ts'
import type { Surroundings } from '../surroundings.ts'
import { assetOf, deleteAsset, digestOfAsset, openAsset, renameAsset, uploadAsset } from './github-assets.ts'
import { connectGitHub, type GitHubConnection } from './github-client.ts'
import {
  addressOf,
  ATTEMPT_ASSET,
  channelOfManifest,
  downloadPath,
  pendingName,
  RELEASE_ASSET,
} from './github-layout.ts'
import { listChannels, listFiles } from './github-list.ts'
import { lockRepository } from './github-lock.ts'
import {
  findLatestManifest,
  findStayingManifest,
  replaceLatestManifest,
  replaceStayingManifest,
} from './github-manifest.ts'
import {
  burntTag,
  createDraft,
  deleteRelease,
  findPublished,
  findRelease,
  type GitHubAsset,
  type GitHubRelease,
  type KnownDrafts,
  publishDraft,
  readRelease,
} from './github-releases.ts'
import { sweepRepository } from './github-sweep.ts'
import { channelText, filesText } from './github-text.ts'
import { documentExists } from './publish-conflict.ts'
import type { GitHubConfig } from './publish-config.ts'
import type { Publisher, PublishFile } from './publisher.ts'
import { collect } from './read-stream.ts'

/** @throws MoultError ERR_CONFIG_* */
export function openGitHub(config: GitHubConfig, around: Surroundings): Publisher {
  const latest = config.latest ?? DEFAULT_CHANNEL
  let lost: AbortSignal | undefined
  const github = connectGitHub(config, around, () => lost)
  // An interrupted run still gives its lock back.
  const uninterrupted = connectGitHub(config, { ...around, signal: new AbortController().signal }, () => undefined)
  const place: Place = { github, latest, drafts: new Map() }
  const isLatest = (channel: string): boolean => channel === latest

  return {
    target: github.target,
    baseUrl: `${github.webUrl}/releases/download`,
    feedUrl: `${github.webUrl}/releases.atom`,
    urlOf: (path) => new URL(`${github.webUrl}/releases/${downloadPath(path, isLatest)}`),
    async lock(purpose) {
      const held = await lockRepository(uninterrupted, around.now, purpose)
      lost = held.lost
      place.drafts.clear()
      await sweepRepository(github, latest)
      return async () => {
        lost = undefined
        await held.release()
      }
    },
    channels: () => listChannels(github, latest),
    list: (prefix) => listFiles(github, latest, prefix),
    async read(path, maxBytes) {
      const chunks = await openPath(place, path)
      return chunks && collect(chunks, maxBytes, path)
    },
    open: (path, signal) => openPath(place, path, signal),
    async digest(path) {
      const asset = await findAsset(place, path)
      return asset && digestOfAsset(github, asset)
    },
    putArtifact: (path, file, onProgress) => putArtifact(place, path, file, onProgress),
    putDocument: (path, bytes) => putDocument(place, path, bytes),
    async replaceManifest(path, bytes, expected) {
      const { tag: channel } = addressOf(path)
      if (isLatest(channel)) await replaceLatestManifest(github, channel, path, bytes, expected)
      else await replaceStayingManifest(github, channel, path, bytes, expected, place.drafts)
    },
    remove: (path) => removeAsset(place, path),
    clock: () => askClock(github),
  }
}

interface Place {
  readonly github: GitHubConnection
  readonly latest: string
  readonly drafts: KnownDrafts
}

async function openPath(
  place: Place,
  path: string,
  signal?: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const asset = await findAsset(place, path)
  return asset && openAsset(place.github, asset, signal)
}

/** What lies there. A draft has artifacts, but neither a manifest nor the document that settles what a version is. */
async function findAsset({ github, latest, drafts }: Place, path: string): Promise<GitHubAsset | undefined> {
  const { tag, asset } = addressOf(path)
  const channel = channelOfManifest(path)
  if (channel === latest) return (await findLatestManifest(github, channel))?.asset
  if (channel !== undefined) return (await findStayingManifest(github, channel))?.asset
  const release = await findRelease(github, tag, drafts)
  return release?.draft === true && asset === RELEASE_ASSET ? undefined : assetOf(release, asset)
}

async function openRelease({ github, drafts }: Place, tag: string): Promise<GitHubRelease> {
  const found = await findRelease(github, tag, drafts)
  if (found !== undefined) return found
  const draft = await createDraft(github, tag, tag.includes('/') ? filesText(tag) : channelText(tag))
  drafts.set(tag, draft.id)
  return draft
}

async function putArtifact(
  place: Place,
  path: string,
  file: PublishFile,
  onProgress?: (doneBytes: number) => void,
): Promise<void> {
  const { github } = place
  const { tag, asset: name } = addressOf(path)
  const release = await openRelease(place, tag)
  const old = assetOf(release, name)
  if (old !== undefined && (await digestOfAsset(github, old))?.sha256 === file.sha256) return onProgress?.(file.size)
  if (name === ATTEMPT_ASSET && old !== undefined) {
    await replaceAsset(github, release, old, file)
  } else {
    if (old !== undefined) await deleteAsset(github, old)
    await uploadAsset(github, release, name, file, onProgress)
  }
  // That of a version waits for its document, and that of a channel for its manifest.
  const isComplete = !tag.startsWith('bin/') && tag.includes('/')
  if (release.draft && isComplete) await publishFiles(place, release, name, path)
}

/** A run that is killed anywhere leaves the old asset, or the new one under the name from which the sweep gives it its own. */
async function replaceAsset(
  github: GitHubConnection,
  release: GitHubRelease,
  old: GitHubAsset,
  file: PublishFile,
): Promise<void> {
  const pending = pendingName(old.name, randomBytes(4).toString('hex'))
  const asset = await uploadAsset(github, release, pending, file)
  await deleteAsset(github, old)
  if (await renameAsset(github, asset, old.name)) return
  throw new MoultError(
    'ERR_PUBLISH_CONFLICT',
    `changed by another release meanwhile: ${release.tag_name}/${old.name}`,
    {
      hint: 'Look at what is live now and release again.',
    },
  )
}

async function putDocument(place: Place, path: string, bytes: Uint8Array): Promise<void> {
  const { github } = place
  const { tag, asset: name } = addressOf(path)
  const file = { size: bytes.length, sha256: sha256(bytes), source: { bytes } }
  const release = await openRelease(place, tag)
  const old = assetOf(release, name)
  const isSame = old !== undefined && (await digestOfAsset(github, old))?.sha256 === file.sha256
  if (!isSame) {
    if (old !== undefined && !release.draft) throw documentExists(path)
    if (old !== undefined) await deleteAsset(github, old)
    await uploadAsset(github, release, name, file)
  }
  if (!release.draft) return
  const published = await publishFiles(place, release, name, path)
  if (published?.sha256 !== file.sha256) throw documentExists(path)
}

/** What is published under the name then: by this run, or by another one that was faster. */
async function publishFiles(
  { github, drafts }: Place,
  release: GitHubRelease,
  name: string,
  path: string,
): Promise<Digest | undefined> {
  const { kind } = await publishDraft(github, release, false)
  if (kind === 'burnt') throw burntTag(release.tag_name)
  if (kind === 'taken') {
    drafts.delete(release.tag_name)
    await deleteRelease(github, release)
  }
  const published =
    kind === 'taken'
      ? await findPublished(github, release.tag_name)
      : await readRelease(github, release.tag_name, release.id)
  const asset = assetOf(published, name)
  if (asset !== undefined) return digestOfAsset(github, asset)
  throw documentExists(path)
}

/** With its last file a release goes too, but for that of a channel: agents may still ask for it. */
async function removeAsset({ github, drafts }: Place, path: string): Promise<void> {
  const { tag, asset: name } = addressOf(path)
  const release = await findRelease(github, tag, drafts)
  const asset = release?.assets.find((one) => one.name === name)
  if (release === undefined || asset === undefined) return
  await deleteAsset(github, asset)
  if (release.assets.length > 1 || !tag.includes('/')) return
  drafts.delete(tag)
  await deleteRelease(github, release)
}

/** Any answer tells the time; this one also finds a wrong repository or token before anything is built. */
async function askClock(github: GitHubConnection): Promise<number> {
  const { data, headers } = await github.guard('the repository', async ({ octokit, at }) => octokit.rest.repos.get(at))
  const refuse = (reason: string, hint: string): never => {
    throw new MoultError('ERR_PUBLISH_REFUSED', `${reason}: ${github.target}`, { hint })
  }
  if (data.archived) refuse('the repository is archived', 'Publish to another one.')
  if (data.private)
    refuse(
      'agents cannot download from a private repository',
      'Publish to a public one: what it has is signed. Or set `publish.url` to a place that serves these files.',
    )
  const hostMs = Date.parse(headers.date ?? '')
  return Number.isNaN(hostMs) ? Date.now() : hostMs
}
