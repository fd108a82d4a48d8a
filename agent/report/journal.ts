// Where events and checks are written down: the one way into the history, the metrics, and what the beacon says. All of
// it is told, nothing is acted on, and none of it can fail an update.

import { performance } from 'node:perf_hooks'

import type { AgentEvent } from '../events/events.ts'
import { bookEvent, bookFailure } from './beacon-book.ts'
import { appendHistory, errorFields, historyFields, type HistoryFields } from './history.ts'
import { type CheckNote, type CheckResult, noteCheck } from './last-check.ts'
import { type Counts, writeMetrics } from './metrics.ts'
import type { Settings } from '../settings/settings.ts'
import type { UpdateDeps } from '../update.ts'

type JournalDeps = Pick<UpdateDeps, 'clock' | 'emit'>

export class Journal {
  readonly #settings: Settings
  readonly #deps: JournalDeps
  #found: { readonly version: string; readonly atMs: number } | undefined
  #downloaded: { readonly source: string; readonly bytes: number } | undefined
  #saysNoMetrics = false

  /** @param deps `emit` takes the warnings that come of checks */
  constructor(settings: Settings, deps: JournalDeps) {
    this.#settings = settings
    this.#deps = deps
  }

  readonly note = (event: AgentEvent): void => {
    bookEvent(this.#settings, event, this.#deps.clock())
    if (event.kind === 'update-found') {
      this.#found = { version: event.version, atMs: performance.now() }
      this.#downloaded = undefined
    } else if (event.kind === 'downloaded') {
      this.#downloaded = { source: event.source, bytes: event.bytes }
    }
    const fields = historyFields(event)
    if (fields === undefined) return
    const { home } = this.#settings
    const isUpdate = event.kind === 'swapped'
    const effort = isUpdate ? this.#effort() : {}
    appendHistory(home, { ...fields, ...effort }, this.#deps.clock())
    if (isUpdate) this.#count({ updates: 1, deltaUpdates: effort.source === 'delta' ? 1 : 0 })
    else if (event.kind === 'download-failed') this.#count({ downloadFailures: 1 })
    else if (event.kind === 'rolled-back') this.#count({ rollbacks: 1 })
    else if (event.kind === 'confirmed' || event.kind === 'trial') this.#count({})
  }

  /** Takes down how a check ended; one that never began or was stopped is none. */
  check(result: CheckResult): void {
    const now = this.#deps.clock()
    const note = noteCheck(this.#settings.home, result, now)
    const found = this.#found
    this.#found = undefined
    if (note === undefined) return
    if (found !== undefined && note.check.code !== undefined)
      bookFailure(this.#settings, found.version, note.check.code, now)
    const { outcome, version, reason } = note.check
    if (result.kind === 'failed') {
      if (note.isNews) appendHistory(this.#settings.home, { kind: 'check-failed', ...errorFields(result.error) }, now)
    } else if (result.kind === 'checked' && note.isNews) {
      appendHistory(this.#settings.home, { kind: outcome, version, reason }, now)
    }
    this.#warnOfExpiry(note)
    const quarantined = result.kind === 'checked' ? { quarantined: result.facts.quarantine.size } : {}
    this.#count({ checks: 1, checkFailures: result.kind === 'failed' ? 1 : 0, ...quarantined })
  }

  /** Once for each manifest: whoever reads logs needs to hear it once. */
  #warnOfExpiry({ before, check: { isExpiring, expires, outcome } }: CheckNote): void {
    if (isExpiring !== true || outcome === 'failed') return
    if (before?.isExpiring === true && before.expires === expires) return
    const message = `the manifest expires at ${expires} and was not renewed yet: nothing is installed after that`
    this.#deps.emit({ kind: 'warning', message })
  }

  #count(counts: Counts): void {
    const error = writeMetrics(this.#settings, counts, this.#deps.clock())
    if (error === undefined || this.#saysNoMetrics || this.#settings.metricsFile === undefined) return
    this.#saysNoMetrics = true
    this.#deps.emit({ kind: 'warning', message: `metrics cannot be written: ${error.message}` })
  }

  #effort(): Pick<HistoryFields, 'duration_ms' | 'source' | 'bytes'> {
    if (this.#found === undefined) return {}
    const { atMs } = this.#found
    this.#found = undefined
    return { duration_ms: Math.round(performance.now() - atMs), ...this.#downloaded }
  }
}

/** Has what is emitted written down before the listener hears it, as that may end the process. */
export function withJournal<Deps extends JournalDeps>(
  settings: Settings,
  deps: Deps,
): { readonly journal: Journal; readonly deps: Deps } {
  const emit = (event: AgentEvent): void => {
    journal.note(event)
    deps.emit(event)
  }
  const journal = new Journal(settings, { clock: deps.clock, emit })
  return { journal, deps: { ...deps, emit } }
}
