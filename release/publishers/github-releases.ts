// Releases of a repository: found by tag, created as drafts, published at one instant.
//
// Drafts have no tag yet, so that several can want the same one. The instant of publishing is what decides between them:
// GitHub has one published release for each tag, and refuses the second.

import { MoultError } from '../../manifests/index.ts'
import type { GitHubConnection } from './github-client.ts'
import { isAnswer, isTagBurnt } from './github-error.ts'

export interface GitHubAsset {
  readonly id: number
  readonly name: string
  readonly size: number
  /** `uploaded` when it is whole; what a broken upload leaves has another one, and can only be deleted. */
  readonly state: string
  /** Hash of the bytes by the service, `sha256:<hex>`; older servers do not tell it. */
  readonly digest?: string | null
}

export interface GitHubRelease {
  readonly id: number
  readonly tag_name: string
  readonly draft: boolean
  readonly immutable?: boolean
  readonly upload_url: string
  readonly body?: string | null
  readonly assets: readonly GitHubAsset[]
}

/** A release for people has a name and some words; those of others in the same repository have no mark in them. */
export interface ReleaseText {
  readonly name: string
  readonly body: string
}

const MARK = '<!-- moult -->'
const PAGE_SIZE = 100

/** Drafts are not found by their tag. Those that this process has made or seen are remembered by it. */
export type KnownDrafts = Map<string, number>

/** Of this tool, and not of a person or of another one. */
export function isOwn({ body }: GitHubRelease): boolean {
  return body?.startsWith(MARK) ?? false
}

/** Every release, drafts too, in no order. */
export async function listReleases(github: GitHubConnection): Promise<GitHubRelease[]> {
  return github.guard(
    'releases',
    ({ octokit, at }) => octokit.paginate(octokit.rest.repos.listReleases, { ...at, per_page: PAGE_SIZE }),
    false,
  )
}

/** The published release of a tag, else the newest draft for it. */
export async function findRelease(
  github: GitHubConnection,
  tag: string,
  drafts: KnownDrafts,
): Promise<GitHubRelease | undefined> {
  const known = drafts.get(tag)
  const found = known === undefined ? undefined : await readRelease(github, tag, known)
  if (found !== undefined) return found
  drafts.delete(tag)
  const published = await findPublished(github, tag)
  if (published !== undefined) return published
  const draft = (await listReleases(github))
    .filter((release) => release.draft && release.tag_name === tag && isOwn(release))
    .toSorted((a, b) => b.id - a.id)[0]
  if (draft !== undefined) drafts.set(tag, draft.id)
  return draft
}

export async function findPublished(github: GitHubConnection, tag: string): Promise<GitHubRelease | undefined> {
  return github.guard(
    tag,
    async ({ octokit, at }) => (await octokit.rest.repos.getReleaseByTag({ ...at, tag }).catch(passMissing))?.data,
    false,
  )
}

export async function readRelease(
  github: GitHubConnection,
  tag: string,
  id: number,
): Promise<GitHubRelease | undefined> {
  return github.guard(
    tag,
    async ({ octokit, at }) =>
      (await octokit.rest.repos.getRelease({ ...at, release_id: id }).catch(passMissing))?.data,
    false,
  )
}

export async function createDraft(
  github: GitHubConnection,
  tag: string,
  { name, body }: ReleaseText,
): Promise<GitHubRelease> {
  return github.guard(tag, async ({ octokit, at }) => {
    const draft = { tag_name: tag, name, body: `${MARK}\n${body}`, draft: true }
    return (await octokit.rest.repos.createRelease({ ...at, ...draft })).data
  })
}

export type Published =
  | { readonly kind: 'published'; readonly release: GitHubRelease }
  /** Another release has the tag. */
  | { readonly kind: 'taken' }
  /** The tag was that of an immutable release that is gone; it can never be used again. */
  | { readonly kind: 'burnt' }

/** Makes a draft visible, all of it at one instant. @param isLatest it becomes the latest release of the repository */
export async function publishDraft(
  github: GitHubConnection,
  { id, tag_name: tag }: GitHubRelease,
  isLatest: boolean,
): Promise<Published> {
  return github.guard(tag, async ({ octokit, at }): Promise<Published> => {
    const change = { draft: false, prerelease: false, make_latest: isLatest ? 'true' : 'false' } as const
    try {
      const { data } = await octokit.rest.repos.updateRelease({ ...at, release_id: id, tag_name: tag, ...change })
      return { kind: 'published', release: data }
    } catch (error) {
      if (isTagBurnt(error)) return { kind: 'burnt' }
      if (isAnswer(error, 422, 'tag_name', 'already_exists')) return { kind: 'taken' }
      throw error
    }
  })
}

/** The git tag of a published release goes too; it means nothing without. */
export async function deleteRelease(
  github: GitHubConnection,
  { id, tag_name: tag, draft }: Pick<GitHubRelease, 'id' | 'tag_name' | 'draft'>,
): Promise<void> {
  await github.guard(tag, async ({ octokit, at }) => {
    await octokit.rest.repos.deleteRelease({ ...at, release_id: id }).catch(passMissing)
    if (draft) return
    await octokit.rest.git.deleteRef({ ...at, ref: `tags/${tag}` }).catch((error: unknown) => {
      // 422 is how GitHub says that there is no such reference.
      if (!isAnswer(error, 404) && !isAnswer(error, 422)) throw error
    })
  })
}

export function burntTag(tag: string): MoultError {
  return new MoultError(
    'ERR_PUBLISH_REFUSED',
    `the tag was that of an immutable release, and can never return: ${tag}`,
    {
      hint: 'Release under a new version.',
      details: { tag },
    },
  )
}

export function passMissing(error: unknown): undefined {
  if (!isAnswer(error, 404)) throw error
}
