// What killed runs left in a repository. Under the lock nothing is in progress but this run.

import { deleteAsset, renameAsset } from './github-assets.ts'
import type { GitHubConnection } from './github-client.ts'
import { isHistory, isInSeries, seriesNumber, targetOfPending } from './github-layout.ts'
import { deleteRelease, type GitHubRelease, isOwn, listReleases } from './github-releases.ts'

/** Old manifests in view; more only make the lists of a repository longer. */
const MANIFESTS_KEPT = 10

/** @param latest the channel of the latest release */
export async function sweepRepository(github: GitHubConnection, latest: string): Promise<void> {
  const releases = (await listReleases(github)).filter(isOwn)
  const published = new Set(releases.filter(({ draft }) => !draft).map(({ tag_name: tag }) => tag))
  for (const release of releases) {
    const { draft, tag_name: tag } = release
    // A manifest that was never published, or what lost against another run.
    if (draft && (isInSeries(tag) || isHistory(tag) || published.has(tag))) await deleteRelease(github, release)
    else await settleAssets(github, release)
  }
  const numbered = releases
    .filter(({ draft }) => !draft)
    .map((release) => ({ release, number: seriesNumber(release.tag_name, latest) ?? 0 }))
    .filter(({ number }) => number > 0)
    .toSorted((a, b) => b.number - a.number)
  for (const { release } of numbered.slice(MANIFESTS_KEPT)) await deleteRelease(github, release)
}

/** An asset that was to replace another: it does, when the other one is gone already. */
async function settleAssets(github: GitHubConnection, { assets }: GitHubRelease): Promise<void> {
  const names = new Set(assets.filter(({ state }) => state === 'uploaded').map(({ name }) => name))
  for (const asset of assets.toSorted((a, b) => b.id - a.id)) {
    const target = targetOfPending(asset.name)
    if (asset.state !== 'uploaded') {
      await deleteAsset(github, asset)
    } else if (target !== undefined) {
      if (!names.has(target) && (await renameAsset(github, asset, target))) names.add(target)
      else await deleteAsset(github, asset)
    }
  }
}
