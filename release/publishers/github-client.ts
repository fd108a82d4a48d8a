// The connection to a repository. The client is loaded here and nowhere else, and only for the first request.

import { setTimeout as sleep } from 'node:timers/promises'
import type * as Client from '@octokit/rest'

import { MoultError } from '../../manifests/index.ts'
import type { Surroundings } from '../surroundings.ts'
import { githubError, isPassing, limitOf } from './github-error.ts'
import { type GitHubPlace, placeOf } from './github-place.ts'
import type { GitHubConfig } from './publish-config.ts'

const ATTEMPTS_MAX = 4
const RETRY_DELAY_MS = 500
/** A longer wait is for the caller to decide on; the lock outlives this one. */
const LIMIT_WAIT_MAX_MS = 90_000
/** Of a request that carries no file. */
const REQUEST_TIMEOUT_MS = 120_000
const API_VERSION = '2022-11-28'

export interface Call {
  readonly octokit: Client.Octokit
  /** For files: without the time limit of other requests. */
  readonly signal: AbortSignal
  /** What every request has. */
  readonly at: {
    readonly owner: string
    readonly repo: string
    readonly request: { readonly signal: AbortSignal }
    readonly headers: { readonly 'x-github-api-version': string }
  }
}

export interface GitHubConnection extends Pick<GitHubPlace, 'webUrl'> {
  readonly target: string
  /**
   * Runs requests, again where that may help and within bounds, and turns their errors into those of publishing. The
   * work MUST be such that doing it twice does no harm.
   * @param isWrite false for what can be had without a token
   */
  readonly guard: <T>(path: string, work: (call: Call) => Promise<T>, isWrite?: boolean) => Promise<T>
  readonly around: Surroundings
}

/**
 * @param lost aborts what runs when the lock was lost
 * @throws MoultError ERR_CONFIG_*
 */
export function connectGitHub(
  config: GitHubConfig,
  around: Surroundings,
  lost: () => AbortSignal | undefined,
): GitHubConnection {
  const place = placeOf(config, around.env)
  const { owner, repo, webUrl } = place
  const target = webUrl.replace(/^https:\/\//, '')
  let opened: Promise<Client.Octokit> | undefined

  async function guard<T>(path: string, work: (call: Call) => Promise<T>, isWrite = true): Promise<T> {
    if (isWrite && place.token === undefined) throw noToken(place)
    const octokit = await (opened ??= openClient(place))
    const lock = lost()
    const signal = lock === undefined ? around.signal : AbortSignal.any([around.signal, lock])
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted()
      const limited = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
      const at = { owner, repo, request: { signal: limited }, headers: { 'x-github-api-version': API_VERSION } }
      try {
        return await work({ octokit, at, signal })
      } catch (error) {
        signal.throwIfAborted()
        const delayMs = attempt < ATTEMPTS_MAX ? delayOf(error, attempt) : undefined
        if (delayMs === undefined) throw githubError(error, path, target)
        if (limitOf(error) !== undefined) {
          const text = `GitHub's rate limit is used up; going on in ${Math.ceil(delayMs / 1000)} s.`
          around.on({ kind: 'note', text })
        }
        await sleep(delayMs, undefined, { signal })
      }
    }
  }
  return { target, webUrl, guard, around }
}

/** Undefined: it is of no use to try again, or not so soon. */
function delayOf(error: unknown, attempt: number): number | undefined {
  const limitMs = limitOf(error)
  if (limitMs !== undefined) return limitMs <= LIMIT_WAIT_MAX_MS ? limitMs : undefined
  return isPassing(error) ? RETRY_DELAY_MS * 2 ** (attempt - 1) * (0.5 + Math.random()) : undefined
}

async function openClient({ apiUrl, token }: GitHubPlace): Promise<Client.Octokit> {
  const { Octokit } = await loadClient()
  const silent = (): void => {}
  return new Octokit({
    baseUrl: apiUrl,
    ...(token === undefined ? {} : { auth: token }),
    userAgent: 'moult',
    log: { debug: silent, info: silent, warn: silent, error: silent },
  })
}

async function loadClient(): Promise<typeof Client> {
  try {
    return await import('@octokit/rest')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new MoultError('ERR_CONFIG_MISSING', 'publishing to GitHub needs a package that is not installed: @octokit', {
      hint: 'Run `npm install @octokit/rest@21`.',
      cause,
    })
  }
}

export function noToken({ tokenNames }: Pick<GitHubPlace, 'tokenNames'>): MoultError {
  return new MoultError('ERR_CONFIG_MISSING', `no token for GitHub: ${tokenNames.join(' or ')}`, {
    hint: 'Set it to a token with the permission "Contents: write", e.g. of `gh auth token`, or name another variable with `publish.github.tokenEnv`.',
    details: { variables: tokenNames },
  })
}
