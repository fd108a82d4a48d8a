// `<home>/status.json`: how the last check ended, for `moult agent status`. Only told, never acted on, so nothing here
// may fail, and a power cut may take it. At most polls only the time of the file changes: it is the time of the check.

import { renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'

import { type Decision, formatDate, isMoultError, toMoultError } from '../manifests/index.ts'
import { readIfPossible } from './durable-file.ts'
import type { Home } from './home.ts'
import type { UpdateResult } from './update.ts'

export type CheckOutcome = 'swapped' | 'failed' | Decision['kind']

export interface LastCheck {
  /** RFC 3339 date of the check. */
  readonly at: string
  readonly outcome: CheckOutcome
  /** Of the error, when it failed. */
  readonly code?: string
  /** RFC 3339 date of the first check in a row that ended like this. */
  readonly since: string
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
 * Notes how a check ended; one that never began or was stopped is none.
 * @param now milliseconds since 1970
 */
export function noteCheck(home: Home, result: UpdateResult | { kind: 'failed'; error: unknown }, now: number): void {
  if (result.kind === 'failed' && !isCheck(result.error)) return
  const outcome = result.kind === 'checked' ? result.decision.kind : result.kind
  const code = result.kind === 'failed' ? { code: toMoultError(result.error).code } : {}
  const temporary = `${home.status}.new`
  try {
    const last = readLastCheck(home)
    if (last?.outcome !== outcome || last.code !== code.code) {
      rmSync(temporary, { force: true })
      writeFileSync(temporary, `${JSON.stringify({ at: formatDate(now), outcome, ...code })}\n`, {
        mode: 0o600,
        flag: 'wx',
      })
      renameSync(temporary, home.status)
    }
    utimesSync(home.status, now / 1000, now / 1000)
  } catch {
    // A full disk or a read-only home: the check itself has said so.
  }
}

/** Undefined when there was none, or what is noted cannot be understood. */
export function readLastCheck(home: Home): LastCheck | undefined {
  try {
    const noted: unknown = JSON.parse(readIfPossible(home.status)?.toString('utf8') ?? 'null')
    if (typeof noted !== 'object' || noted === null) return undefined
    const { at, outcome, code } = noted as Record<string, unknown>
    if (typeof at !== 'string' || !isOutcome(outcome)) return undefined
    return {
      at: formatDate(statSync(home.status).mtimeMs),
      outcome,
      ...(typeof code === 'string' ? { code } : {}),
      since: at,
    }
  } catch {
    return undefined
  }
}

function isOutcome(value: unknown): value is CheckOutcome {
  return OUTCOMES.has(value)
}

/** Another updater at work notes its own check; one that was stopped says nothing about updates. */
function isCheck(error: unknown): boolean {
  if (isMoultError(error)) return error.code !== 'ERR_LOCK_HELD'
  return !(error instanceof Error && error.name === 'AbortError')
}
