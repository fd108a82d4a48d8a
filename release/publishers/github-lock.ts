// An exclusive lock in a repository: the git reference `refs/moult/lock`, which one can create, to a commit whose message
// says who holds it. Each renewal is a child of the commit before, and git refuses to move a reference to what is no
// descendant: so a lock is renewed or taken over only by who saw its present state. No branch and no tag is touched.

import { formatDate, MoultError } from '../../manifests/index.ts'
import type { GitHubConnection } from './github-client.ts'
import { isAnswer } from './github-error.ts'
import { passMissing } from './github-releases.ts'
import { heldBy, isDead, type LockHolder, parseHolder, thisHolder } from './lock-holder.ts'

const REF = 'moult/lock'
/** Longer than the client waits for a rate limit. */
export const LEASE_MS = 300_000

export interface GitHubLock {
  /** Aborted, with the error to throw, when the lock was lost. */
  readonly lost: AbortSignal
  readonly release: () => Promise<void>
}

/** @throws MoultError ERR_PUBLISH_CONFLICT, or ERR_PUBLISH_REFUSED for a repository without a commit */
export async function lockRepository(
  github: GitHubConnection,
  now: () => number,
  purpose: string | undefined,
  leaseMs = LEASE_MS,
): Promise<GitHubLock> {
  const own = await thisHolder(now, purpose)
  const tree = await readTree(github)
  let renewals = 0
  const commit = (parents: string[]): Promise<string> =>
    writeCommit(github, tree, { ...own, renewals: renewals++ }, parents)
  let sha = await acquire(github, commit, leaseMs)
  const lost = new AbortController()
  let renewedAt = performance.now()

  const renew = async (): Promise<void> => {
    const startedAt = performance.now()
    const next = await commit([sha])
    if (await moveRef(github, next)) [sha, renewedAt] = [next, startedAt]
    else lost.abort(held(github, (await readLock(github))?.holder, 'This one took too long. Run it again.'))
  }
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    if (performance.now() - renewedAt > leaseMs * 0.8) {
      const message = `lost the lock, because it could not be renewed in time: ${github.target}`
      lost.abort(new MoultError('ERR_PUBLISH_CONFLICT', message, { hint: 'Check the network, and run it again.' }))
    }
    // One that fails is tried again until the lease is over.
    running ??= renew()
      .catch(() => {})
      .finally(() => (running = undefined))
  }, leaseMs / 4)
  timer.unref()

  return {
    lost: lost.signal,
    async release() {
      clearInterval(timer)
      await running
      if ((await readLock(github))?.holder?.nonce === own.nonce) await deleteRef(github)
    },
  }
}

async function acquire(
  github: GitHubConnection,
  commit: (parents: string[]) => Promise<string>,
  leaseMs: number,
): Promise<string> {
  const first = await commit([])
  if (await createRef(github, first)) return first
  const found = await readLock(github)
  // The answer to the first try was lost.
  if (found?.sha === first) return first
  if (found !== undefined && (found.ageMs > leaseMs || (found.holder !== undefined && (await isDead(found.holder))))) {
    const taken = await commit([found.sha])
    if (await moveRef(github, taken)) return taken
    throw held(github, (await readLock(github))?.holder, 'Wait for it.')
  }
  const until = formatDate(Date.now() + Math.max(leaseMs - (found?.ageMs ?? leaseMs), 1000))
  throw held(github, found?.holder, `Wait for it. If it is gone, its lock ends at ${until}.`)
}

/** Any tree does: nothing looks at it. */
function readTree(github: GitHubConnection): Promise<string> {
  return github.guard(REF, async ({ octokit, at }) => {
    const { default_branch: branch } = (await octokit.rest.repos.get(at)).data
    const { object } = (await octokit.rest.git.getRef({ ...at, ref: `heads/${branch}` })).data
    return (await octokit.rest.git.getCommit({ ...at, commit_sha: object.sha })).data.tree.sha
  })
}

function writeCommit(
  github: GitHubConnection,
  tree: string,
  holder: LockHolder & { renewals: number },
  parents: string[],
): Promise<string> {
  // Without a date of ours it gets one by the clock of GitHub, against which its age is reckoned.
  return github.guard(
    REF,
    async ({ octokit, at }) =>
      (await octokit.rest.git.createCommit({ ...at, message: JSON.stringify(holder), tree, parents })).data.sha,
  )
}

function createRef(github: GitHubConnection, sha: string): Promise<boolean> {
  return github.guard(REF, async ({ octokit, at }) => {
    try {
      await octokit.rest.git.createRef({ ...at, ref: `refs/${REF}`, sha })
      return true
    } catch (error) {
      if (isAnswer(error, 422) && /already exists/i.test((error as Error).message)) return false
      throw error
    }
  })
}

/** False when what is there now is no ancestor, or nothing. */
function moveRef(github: GitHubConnection, sha: string): Promise<boolean> {
  return github.guard(REF, async ({ octokit, at }) => {
    try {
      await octokit.rest.git.updateRef({ ...at, ref: REF, sha, force: false })
      return true
    } catch (error) {
      if (isAnswer(error, 422) || isAnswer(error, 404)) return false
      throw error
    }
  })
}

function deleteRef(github: GitHubConnection): Promise<void> {
  return github.guard(REF, async ({ octokit, at }) => {
    await octokit.rest.git.deleteRef({ ...at, ref: REF }).catch((error: unknown) => {
      if (!isAnswer(error, 404) && !isAnswer(error, 422)) throw error
    })
  })
}

interface FoundLock {
  readonly sha: string
  readonly ageMs: number
  readonly holder: LockHolder | undefined
}

function readLock(github: GitHubConnection): Promise<FoundLock | undefined> {
  return github.guard(REF, async ({ octokit, at }) => {
    const ref = await octokit.rest.git.getRef({ ...at, ref: REF }).catch(passMissing)
    if (ref === undefined) return undefined
    const { sha } = ref.data.object
    const { data, headers } = await octokit.rest.git.getCommit({ ...at, commit_sha: sha })
    const hostMs = Date.parse(headers.date ?? '')
    const ageMs = (Number.isNaN(hostMs) ? Date.now() : hostMs) - Date.parse(data.committer.date)
    return { sha, ageMs, holder: parseHolder(data.message) }
  })
}

function held(github: GitHubConnection, holder: LockHolder | undefined, hint: string): MoultError {
  return heldBy(holder, github.target, hint)
}
