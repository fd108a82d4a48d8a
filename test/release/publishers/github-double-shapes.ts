// What the double of GitHub shows of itself: objects that GitHub's published description of its API has to accept, which
// the compiler sees to.

import { createHash } from 'node:crypto'
import type { components } from '@octokit/openapi-types'

import {
  type DoubleAsset,
  type DoubleCommit,
  type DoubleRelease,
  type DoubleState,
  OWNER,
  REPO,
} from './github-double-state.ts'

type Schemas = components['schemas']

export interface Hosts {
  readonly api: string
  readonly uploads: string
  readonly web: string
}

export function showRelease(state: DoubleState, release: DoubleRelease, hosts: Hosts): Schemas['release'] {
  const { id, tag, name, body, draft, prerelease, immutable, createdAt, publishedAt } = release
  const at = `${hosts.api}/repos/${OWNER}/${REPO}/releases/${id}`
  return {
    url: at,
    assets_url: `${at}/assets`,
    upload_url: `${hosts.uploads}/repos/${OWNER}/${REPO}/releases/${id}/assets{?name,label}`,
    html_url: `${hosts.web}/${OWNER}/${REPO}/releases/tag/${draft ? `untagged-${idOf(String(id))}` : tag}`,
    id,
    node_id: `RE_${id}`,
    author: USER,
    tag_name: tag,
    target_commitish: 'main',
    name,
    body,
    draft,
    prerelease,
    immutable,
    created_at: createdAt.toISOString(),
    published_at: publishedAt?.toISOString() ?? null,
    tarball_url: draft ? null : `${hosts.api}/repos/${OWNER}/${REPO}/tarball/${tag}`,
    zipball_url: draft ? null : `${hosts.api}/repos/${OWNER}/${REPO}/zipball/${tag}`,
    assets: [...release.assets.values()].map((asset) => showAsset(state, release, asset, hosts)),
  }
}

export function showAsset(
  { hasDigests }: DoubleState,
  release: DoubleRelease,
  { id, name, label, contentType, state, bytes, createdAt }: DoubleAsset,
  hosts: Hosts,
): Schemas['release-asset'] {
  return {
    url: `${hosts.api}/repos/${OWNER}/${REPO}/releases/assets/${id}`,
    browser_download_url: `${hosts.web}/${OWNER}/${REPO}/releases/download/${encodeURIComponent(release.tag)}/${name}`,
    id,
    node_id: `RA_${id}`,
    name,
    label,
    uploader: USER,
    content_type: contentType,
    state: state as Schemas['release-asset']['state'],
    size: bytes.length,
    digest: hasDigests && state === 'uploaded' ? `sha256:${createHash('sha256').update(bytes).digest('hex')}` : null,
    download_count: 0,
    created_at: createdAt.toISOString(),
    updated_at: createdAt.toISOString(),
  }
}

export function showRef(ref: string, sha: string, hosts: Hosts): Schemas['git-ref'] {
  const object = { type: 'commit', sha, url: `${hosts.api}/repos/${OWNER}/${REPO}/git/commits/${sha}` }
  return { ref, node_id: `REF_${idOf(ref)}`, url: `${hosts.api}/repos/${OWNER}/${REPO}/git/${ref}`, object }
}

export function showCommit(sha: string, commit: DoubleCommit, hosts: Hosts): Schemas['git-commit'] {
  const at = `${hosts.api}/repos/${OWNER}/${REPO}/git`
  const person = { date: `${commit.date.toISOString().slice(0, 19)}Z`, name: 'Releaser', email: 'releaser@example.com' }
  return {
    sha,
    node_id: `C_${sha}`,
    url: `${at}/commits/${sha}`,
    html_url: `${hosts.web}/${OWNER}/${REPO}/commit/${sha}`,
    author: person,
    committer: person,
    message: commit.message,
    tree: { sha: commit.tree, url: `${at}/trees/${commit.tree}` },
    parents: commit.parents.map((parent) => ({
      sha: parent,
      url: `${at}/commits/${parent}`,
      html_url: `${hosts.web}/${OWNER}/${REPO}/commit/${parent}`,
    })),
    verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null },
  }
}

/** What is asked of it here; all of it would be a hundred members more. */
export function showRepository(
  { isPrivate, isArchived }: DoubleState,
  hosts: Hosts,
): Pick<
  Schemas['full-repository'],
  'id' | 'name' | 'full_name' | 'private' | 'archived' | 'default_branch' | 'html_url'
> {
  const full_name = `${OWNER}/${REPO}`
  const html_url = `${hosts.web}/${full_name}`
  return { id: 1, name: REPO, full_name, private: isPrivate, archived: isArchived, default_branch: 'main', html_url }
}

const USER_URL = 'http://github.invalid/users/releaser'
const USER: Schemas['simple-user'] = {
  login: 'releaser',
  id: 1,
  node_id: 'U_1',
  avatar_url: USER_URL,
  gravatar_id: '',
  url: USER_URL,
  html_url: USER_URL,
  followers_url: USER_URL,
  following_url: USER_URL,
  gists_url: USER_URL,
  starred_url: USER_URL,
  subscriptions_url: USER_URL,
  organizations_url: USER_URL,
  repos_url: USER_URL,
  events_url: USER_URL,
  received_events_url: USER_URL,
  type: 'User',
  site_admin: false,
}

function idOf(text: string): string {
  return createHash('sha1').update(text).digest('hex').slice(0, 20)
}
