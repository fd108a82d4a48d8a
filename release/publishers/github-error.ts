// What GitHub answers, as errors of publishing that say what to do.

import { type ErrorCode, formatDate, isMoultError, MoultError } from '../../manifests/index.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly reason: string
  readonly hint?: string
}

/** An error of the client: its `status` is that of the answer, or 500 where there was none. */
interface RequestFailure extends Error {
  readonly status: number
  readonly response?: {
    readonly headers: Readonly<Record<string, string | number | undefined>>
    readonly data?: unknown
  }
}

const REFUSED = 'ERR_PUBLISH_REFUSED'
const FAILED = 'ERR_PUBLISH_FAILED'
/** What GitHub asks for where it names no time. */
const SECONDARY_LIMIT_MS = 60_000

/** The error itself when it is no answer of GitHub and no failure of the way to it. */
export function githubError(error: unknown, path: string, target: string): unknown {
  if (isMoultError(error) || !isRequestFailure(error)) return error
  const { code, reason, hint } = meaningOf(error)
  const requestId = headerOf(error, 'x-github-request-id')
  return new MoultError(code, `${reason} (${saidBy(error)}): ${target}, ${path}`, {
    ...(hint === undefined ? {} : { hint }),
    details: {
      path,
      target,
      ...(error.response === undefined ? {} : { status: error.status }),
      ...(requestId === undefined ? {} : { requestId }),
    },
    cause: error,
  })
}

/** True for an answer of this status, and of this field and code among its `errors` where they are named. */
export function isAnswer(error: unknown, status: number, field?: string, code?: string): boolean {
  if (!isRequestFailure(error) || error.response === undefined || error.status !== status) return false
  if (field === undefined) return true
  const { errors } = (error.response.data ?? {}) as { errors?: unknown }
  return (
    Array.isArray(errors) &&
    errors.some((one: { field?: unknown; code?: unknown }) => one.field === field && one.code === code)
  )
}

export function isTagBurnt(error: unknown): boolean {
  return isAnswer(error, 422) && /was used by an immutable release/.test(wordsOf(error))
}

/** How long GitHub wants to be left alone; undefined for an error that says nothing of that. */
export function limitOf(error: unknown): number | undefined {
  if (!isRequestFailure(error) || error.response === undefined || ![403, 429].includes(error.status)) return undefined
  const retryAfter = headerOf(error, 'retry-after')
  if (retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000
  if (headerOf(error, 'x-ratelimit-remaining') === '0') {
    const resetMs = Number(headerOf(error, 'x-ratelimit-reset')) * 1000
    const nowMs = Date.parse(headerOf(error, 'date') ?? '')
    const waitMs = resetMs - (Number.isNaN(nowMs) ? Date.now() : nowMs)
    return Number.isNaN(waitMs) ? SECONDARY_LIMIT_MS : Math.max(waitMs, 0) + 1000
  }
  return error.status === 429 || /secondary rate limit|abuse/i.test(wordsOf(error)) ? SECONDARY_LIMIT_MS : undefined
}

/** A failure of the network, or one of GitHub itself: the same request may succeed in a while. */
export function isPassing(error: unknown): boolean {
  return isRequestFailure(error) && (error.response === undefined || error.status >= 500 || error.status === 408)
}

function meaningOf(error: RequestFailure): Meaning {
  const words = wordsOf(error)
  const limitMs = limitOf(error)
  if (error.response === undefined)
    return { code: FAILED, reason: 'no connection', hint: 'Is `publish.github.apiUrl` right, and the network up?' }
  if (limitMs !== undefined) {
    const until = formatDate(Date.now() + limitMs)
    return { code: FAILED, reason: 'the rate limit is used up', hint: `Run the command again after ${until}.` }
  }
  if (/immutable release/.test(words)) {
    return {
      code: REFUSED,
      reason: 'GitHub keeps published releases of this repository as they are',
      hint: 'Release under a new version. A channel that is not the latest of its repository needs one of its own, or one without immutable releases.',
    }
  }
  return byStatus(error.status, words, headerOf(error, 'x-github-sso') !== undefined)
}

function byStatus(status: number, words: string, isSso: boolean): Meaning {
  switch (status) {
    case 401:
      return {
        code: REFUSED,
        reason: 'the token is refused',
        hint: 'Has it expired, or is it of another host? `gh auth token` prints a good one.',
      }
    case 403:
      if (isSso)
        return { code: REFUSED, reason: 'the organisation wants single sign-on', hint: 'Authorise the token for it.' }
      return {
        code: REFUSED,
        reason: 'the token may not do that',
        hint: 'It needs the permission "Contents: write": in a workflow `permissions: { contents: write }`.',
      }
    case 404:
      return {
        code: REFUSED,
        reason: 'no such repository, or the token may not see it',
        hint: 'Check `publish.github.repository`, and that the token has the permission "Contents: write" there.',
      }
    case 409:
      if (/empty/i.test(words))
        return { code: REFUSED, reason: 'the repository is empty', hint: 'Tags need a commit: push a first one.' }
      return { code: FAILED, reason: 'another change was made at the same time', hint: 'Run the command again.' }
    default:
      if (status >= 500 || status === 408)
        return { code: FAILED, reason: 'GitHub is busy or broken', hint: 'Run the command again in a while.' }
      return { code: REFUSED, reason: `GitHub refuses this with status ${status}` }
  }
}

function isRequestFailure(error: unknown): error is RequestFailure {
  return error instanceof Error && (error.name === 'HttpError' || error.name === 'AbortError') && 'status' in error
}

function headerOf(error: RequestFailure, name: string): string | undefined {
  const value = error.response?.headers[name]
  return value === undefined ? undefined : String(value)
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

/** One line of it, without the address of the documentation. */
function saidBy({ message }: Error): string {
  return message
    .replace(/ - https:\/\/docs\.github\.com\S*$/, '')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 160)
}
