// What is published in a repository, by the paths of the layout.

import { manifestPath } from '../layout.ts'
import type { GitHubConnection } from './github-client.ts'
import {
  isInSeries,
  MANIFEST_ASSET,
  pathOfAsset,
  RELEASE_ASSET,
  seriesNumber,
  targetOfPending,
} from './github-layout.ts'
import { assetOf } from './github-assets.ts'
import { isOwn, listReleases, type GitHubRelease } from './github-releases.ts'
import type { PublishedFile } from './publisher.ts'

export async function listChannels(github: GitHubConnection, latest: string): Promise<string[]> {
  const published = (await listReleases(github)).filter((release) => isOwn(release) && !release.draft)
  const withManifest = published.filter((release) => assetOf(release, MANIFEST_ASSET) !== undefined)
  const channels = withManifest.flatMap(({ tag_name: tag }) => {
    if (seriesNumber(tag, latest) !== undefined) return [latest]
    return tag.includes('/') || tag === latest ? [] : [tag]
  })
  return [...new Set(channels)].toSorted()
}

export async function listFiles(github: GitHubConnection, latest: string, prefix: string): Promise<PublishedFile[]> {
  const releases = (await listReleases(github)).filter(isOwn)
  const files = releases.flatMap((release) => (isInSeries(release.tag_name) ? [] : filesOf(release, latest)))
  const manifest = newestManifest(releases, latest)
  if (manifest !== undefined) files.push(manifest)
  return files.filter(({ path }) => path.startsWith(prefix)).toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** What a draft has for its publishing is not published: the document of a version, the manifest of a channel. */
function filesOf({ tag_name: tag, draft, assets }: GitHubRelease, latest: string): PublishedFile[] {
  const isManifest = (name: string): boolean => name === MANIFEST_ASSET && !tag.includes('/')
  return assets
    .filter(({ state, name }) => state === 'uploaded' && targetOfPending(name) === undefined)
    .filter(({ name }) => !draft || !(isManifest(name) || name === RELEASE_ASSET))
    .filter(({ name }) => !(isManifest(name) && tag === latest))
    .map(({ name, size }) => ({ path: pathOfAsset({ tag, asset: name }), size }))
}

function newestManifest(releases: readonly GitHubRelease[], latest: string): PublishedFile | undefined {
  const newest = releases
    .filter(({ draft, tag_name: tag }) => !draft && seriesNumber(tag, latest) !== undefined)
    .toSorted((a, b) => (seriesNumber(b.tag_name, latest) ?? 0) - (seriesNumber(a.tag_name, latest) ?? 0))
    .map((release) => assetOf(release, MANIFEST_ASSET))
    .find((asset) => asset !== undefined)
  return newest && { path: manifestPath(latest), size: newest.size }
}
