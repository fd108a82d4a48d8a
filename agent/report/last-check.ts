// `<home>/status.json`: how the last check ended, for `moult agent status`. Only told, never acted on, so nothing here
// may fail, and a power cut may take it. At most polls only the time of the file changes: it is the time of the check.

import { statSync } from 'node:fs'

import { type Decision, formatDate, isEndingSoon, isMoultError, toMoultError } from '../../manifests/index.ts'
import { readIfPossible } from '../home/durable-file.ts'
import type { Home } from '../home/home.ts'
import { replaceToldFile } from '../home/told-file.ts'
import type { UpdateResult } from '../update.ts'

export type CheckOutcome = 'swapped' | 'failed' | Decision['kind']

export type CheckResult = UpdateResult | { readonly kind: 'failed'; readonly error: unknown }

/** How checks end for as long as nothing new happens. */
interface CheckFacts {
  readonly outcome: CheckOutcome
  /** Of the error, when it failed. */
  readonly code?: string
  /** The version that was put in place, waits, or is refused. */
  readonly version?: string
  /** Why it waits, is refused, or could be installed. */
  readonly reason?: string
  /** RFC 3339 date of the last check that verified a manifest, when this one failed. */
  readonly lastSuccess?: string
  /** Of the last manifest that verified. */
  readonly sequence?: number
  /** RFC 3339 date until which it is good. */
  readonly expires?: string
  /** Less than a quarter of its life is left: whoever has to renew it probably did not. */
  readonly isExpiring?: boolean
}

export interface LastCheck extends CheckFacts {
  /** RFC 3339 date of the check. */
  readonly at: string
  /** RFC 3339 date of the first check in a row that ended like this. */
  readonly since: string
}

export interface CheckNote {
  readonly before: LastCheck | undefined
  readonly check: LastCheck
  /** False when it ended like the one before. */
  readonly isNews: boolean
}

const OUTCOMES: ReadonlySet<unknown> = new Set<CheckOutcome>([
  'swapped',
  'failed',
  'up-to-date',
  'install',
  'wait',
  'refuse',
])

/**
 * Notes how a check ended.
 * @param now milliseconds since 1970
 * @returns undefined when it never began or was stopped, or cannot be noted
 */
export function noteCheck(home: Home, result: CheckResult, now: number): CheckNote | undefined {
  if (result.kind === 'failed' && !isCheck(result.error)) return undefined
  const at = formatDate(now)
  try {
    const before = readLastCheck(home)
    const facts = factsOf(result, before, now)
    const isNews = keyOf(before) !== keyOf(facts)
    const since = isNews ? at : (before?.since ?? at)
    const text = noteOf(since, facts)
    if (before === undefined || noteOf(before.since, before) !== text)
      replaceToldFile(home.disk, home.status, text, 0o600)
    home.disk.touch(home.status, now)
    return { before, check: { at, ...facts, since }, isNews }
  } catch {
    // A full disk or a read-only home: the check itself has said so.
    return undefined
  }
}

/** Undefined when there was none, or what is noted cannot be understood. */
export function readLastCheck(home: Home): LastCheck | undefined {
  try {
    const noted: unknown = JSON.parse(readIfPossible(home.status)?.toString('utf8') ?? 'null')
    if (typeof noted !== 'object' || noted === null) return undefined
    const fields = noted as Record<string, unknown>
    const { at, outcome, sequence, isExpiring } = fields
    if (typeof at !== 'string' || !isOutcome(outcome)) return undefined
    const texts = ['code', 'version', 'reason', 'lastSuccess', 'expires'].flatMap((name) =>
      typeof fields[name] === 'string' ? [[name, fields[name]] as const] : [],
    )
    return {
      at: formatDate(statSync(home.status).mtimeMs),
      outcome,
      ...Object.fromEntries(texts),
      ...(typeof sequence === 'number' ? { sequence } : {}),
      ...(isExpiring === true ? { isExpiring } : {}),
      since: at,
    }
  } catch {
    return undefined
  }
}

function factsOf(result: CheckResult, before: LastCheck | undefined, now: number): CheckFacts {
  if (result.kind === 'checked') {
    const { decision } = result
    const { sequence, expires, issued } = result.manifest.rollout
    return {
      outcome: decision.kind,
      ...('version' in decision ? { version: decision.version } : {}),
      ...('reason' in decision ? { reason: decision.reason } : {}),
      sequence,
      expires,
      ...(isEndingSoon({ issued, expires }, now) ? { isExpiring: true } : {}),
    }
  }
  const known = {
    ...(before?.sequence === undefined ? {} : { sequence: before.sequence }),
    ...(before?.expires === undefined ? {} : { expires: before.expires }),
    ...(before?.isExpiring === undefined ? {} : { isExpiring: before.isExpiring }),
  }
  if (result.kind === 'swapped') return { outcome: 'swapped', version: result.version, ...known }
  const lastSuccess = before?.outcome === 'failed' ? before.lastSuccess : before?.at
  return {
    outcome: 'failed',
    code: toMoultError(result.error).code,
    ...(lastSuccess === undefined ? {} : { lastSuccess }),
    ...known,
  }
}

/** Two checks with the same key are the same news. */
function keyOf(facts: CheckFacts | undefined): string {
  return [facts?.outcome, facts?.code, facts?.version, facts?.reason].join(' ')
}

function noteOf(since: string, facts: CheckFacts): string {
  const { outcome, code, version, reason, lastSuccess, sequence, expires, isExpiring } = facts
  const noted = { at: since, outcome, code, version, reason, lastSuccess, sequence, expires, isExpiring }
  return `${JSON.stringify(noted)}\n`
}

function isOutcome(value: unknown): value is CheckOutcome {
  return OUTCOMES.has(value)
}

/** Another updater at work notes its own check; one that was stopped says nothing about updates. */
function isCheck(error: unknown): boolean {
  if (isMoultError(error)) return error.code !== 'ERR_LOCK_HELD'
  return !(error instanceof Error && error.name === 'AbortError')
}
