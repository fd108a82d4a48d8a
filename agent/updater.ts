// The updater of a running program: polls, installs, and sees a new version through its probation. Nothing that goes
// wrong in here stops the program; it becomes an event.

import { setTimeout as sleep } from 'node:timers/promises'

import { isMoultError } from '../manifests/index.ts'
import { type AgentEvent, decisionKey } from './events.ts'
import { healthCheckOf } from './health.ts'
import { type Home, homeAt } from './home.ts'
import { type LaunchRecord, readLaunchRecord } from './launch-record.ts'
import { withLock } from './lock.ts'
import { retryAfterOf } from './poll.ts'
import { runProbation } from './probation.ts'
import { drain, exitForUpdate } from './restart.ts'
import { firstPollDelayMs, nextPollDelayMs } from './schedule.ts'
import { settle } from './settle.ts'
import { loadSettings, type Settings } from './settings.ts'
import { update, type UpdateDeps, type UpdateResult } from './update.ts'
import type { UpdaterOptions } from './updater-options.ts'
import { confirmVersion, rollBackVersion } from './verdict.ts'

/** On probation polls come quicker until one succeeds: without it the new version cannot be confirmed. */
const TRIAL_INTERVAL_MS = 10_000
const LOCK_RETRY_MS = 200

export class Updater {
  readonly #options: UpdaterOptions
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  /** End the present waits: that of the polls, and that of a probation whose end cannot be written down. */
  readonly #wakes = new Set<AbortController>()
  /** Ends the present check. A signal of its own for each: one that lives as long as the process gathers listeners. */
  #work = new AbortController()
  #isVouchedFor = false
  #hasVerified = false
  #isOnTrial = false
  #failures = 0
  #lastDecision = ''

  constructor(options: UpdaterOptions) {
    this.#options = options
  }

  /** Starts polling in the background; never throws. The process may end while it waits. */
  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#emit({ kind: 'check-failed', error })
    })
  }

  /** Ends polling; a download that is under way is dropped and resumed another time. */
  async stop(): Promise<void> {
    this.#end()
    await this.#running
  }

  /** Polls now instead of when the interval is over. */
  checkNow(): void {
    for (const wake of this.#wakes) wake.abort()
  }

  /** The agent vouches for its own health: its probation ends as soon as the manifest was verified once. */
  confirm(): void {
    this.#isVouchedFor = true
  }

  async #run(): Promise<void> {
    const settings = await this.#readSettings()
    if (settings === undefined) return
    const record = await this.#settled(settings)
    if (record === undefined) return
    this.#emit({
      kind: 'started',
      version: this.#options.version,
      url: settings.url.href,
      intervalMs: settings.intervalMs,
    })
    const { version } = this.#options
    if (record.version !== version)
      this.#warn(`version ${version} runs, but ${record.version} is installed: is the launcher used?`)
    this.#isOnTrial = record.trial !== undefined && record.version === version
    await Promise.all([this.#poll(settings), this.#isOnTrial ? this.#probation(settings, record) : undefined])
  }

  async #readSettings(): Promise<Settings | undefined> {
    const env = this.#options.env ?? process.env
    const home = this.#options.home ?? env['MOULT_HOME']
    if (home === undefined || env['MOULT_SUPERVISED'] !== undefined) {
      this.#warn(
        `updates are off in this process: ${home === undefined ? 'no home directory is set' : 'the supervisor takes care of them'}`,
      )
      return undefined
    }
    try {
      const settings = loadSettings(home, env, this.#options.settings)
      if (settings.enabled) return settings
    } catch (error) {
      this.#emit({ kind: 'check-failed', error })
      // A version on trial that cannot read its settings could never update again; the one before it could.
      if (readLaunchRecord(homeAt(home).current)?.trial !== undefined) await this.#rollBack(homeAt(home), 'settings')
      return undefined
    }
    this.#warn('updates are switched off by the settings')
    return undefined
  }

  /** Takes note of the last trial. A home that cannot be used now is tried again at each poll. */
  async #settled(settings: Settings): Promise<LaunchRecord | undefined> {
    for (;;) {
      try {
        return await withLock(settings.home, async () => settle(settings, this.#deps()))
      } catch (error) {
        this.#emit({ kind: 'check-failed', error, nextMs: settings.intervalMs })
        await this.#wait(settings.intervalMs)
        if (this.#stop.signal.aborted) return undefined
      }
    }
  }

  async #poll(settings: Settings): Promise<void> {
    const { firstPollMs, random = Math.random } = this.#options
    let delayMs = firstPollMs ?? firstPollDelayMs(settings.intervalMs, random())
    if (this.#isOnTrial) delayMs = Math.min(delayMs, firstPollDelayMs(TRIAL_INTERVAL_MS, random()))
    for (;;) {
      await this.#wait(delayMs)
      if (this.#stop.signal.aborted) return
      const result = await this.#check(settings)
      if (this.#stop.signal.aborted) return
      if (result.kind === 'swapped') return this.#restart()
      const isUrgent = this.#isOnTrial && !this.#hasVerified
      const intervalMs = isUrgent ? Math.min(settings.intervalMs, TRIAL_INTERVAL_MS) : settings.intervalMs
      delayMs = nextPollDelayMs(
        intervalMs,
        this.#failures,
        retryAfterOf(result.kind === 'failed' ? result.error : undefined),
        random(),
      )
      if (result.kind === 'failed') this.#emit({ kind: 'check-failed', error: result.error, nextMs: delayMs })
    }
  }

  async #check(settings: Settings): Promise<UpdateResult | { kind: 'failed'; error: unknown }> {
    this.#work = new AbortController()
    const deps = { ...this.#deps(), emit: (event: AgentEvent) => this.#emitCheck(event), signal: this.#work.signal }
    try {
      // On probation the next update has to wait: it would take away the version to go back to.
      const apply = settings.autoInstall && !this.#isOnTrial
      const result = await withLock(settings.home, () => update(settings, { apply }, deps))
      this.#hasVerified = true
      this.#failures = 0
      return result
    } catch (error) {
      this.#failures += 1
      return { kind: 'failed', error }
    }
  }

  async #probation(settings: Settings, record: LaunchRecord): Promise<void> {
    const { started, tries } = record.trial ?? { started: 0, tries: 0 }
    this.#emit({ kind: 'trial', version: record.version, started, tries })
    const outcome = await runProbation({
      durationMs: settings.probationMs,
      deadlineMs: settings.probationDeadlineMs,
      health: healthCheckOf(settings.health, this.#options.health),
      hasVerified: () => this.#hasVerified,
      isVouchedFor: () => this.#isVouchedFor,
      signal: this.#stop.signal,
    })
    const end =
      outcome.kind === 'healthy' ? () => this.#confirm(settings) : () => this.#rollBack(settings.home, outcome.reason)
    while (!(await this.#attempt(settings, end))) await this.#wait(settings.intervalMs)
  }

  async #attempt(settings: Settings, end: () => Promise<void>): Promise<boolean> {
    try {
      await end()
      return true
    } catch (error) {
      if (this.#stop.signal.aborted) return true
      // The lock is held by a poll of our own for moments only.
      if (isMoultError(error) && error.code === 'ERR_LOCK_HELD') {
        await sleep(LOCK_RETRY_MS)
        return this.#attempt(settings, end)
      }
      this.#emit({ kind: 'check-failed', error, nextMs: settings.intervalMs })
      return false
    }
  }

  async #confirm(settings: Settings): Promise<void> {
    const { version } = this.#options
    if (await withLock(settings.home, async () => confirmVersion(settings, version)))
      this.#emit({ kind: 'confirmed', version })
    this.#isOnTrial = false
  }

  async #rollBack(home: Home, reason: string): Promise<void> {
    const { version } = this.#options
    const to = await withLock(home, async () => rollBackVersion(home, version, reason))
    if (to !== undefined) return this.#restart()
    this.#warn(`version ${version} failed its probation (${reason}), and there is no other to go back to`)
    this.#isOnTrial = false
  }

  async #restart(): Promise<void> {
    const { beforeRestart, restart = exitForUpdate } = this.#options
    await drain(beforeRestart)
    await restart()
    this.#end()
  }

  #end(): void {
    this.#stop.abort()
    this.checkNow()
    this.#work.abort()
  }

  async #wait(delayMs: number): Promise<void> {
    if (this.#stop.signal.aborted) return
    const wake = new AbortController()
    this.#wakes.add(wake)
    await sleep(delayMs, undefined, { signal: wake.signal, ref: false }).catch(() => undefined)
    this.#wakes.delete(wake)
  }

  #emitCheck(event: AgentEvent): void {
    if (event.kind !== 'checked') return this.#emit(event)
    const key = decisionKey(event.decision)
    this.#emit({ ...event, isRepeat: key === this.#lastDecision })
    this.#lastDecision = key
  }

  #emit(event: AgentEvent): void {
    try {
      this.#options.onEvent?.(event)
    } catch {
      // A listener that throws is the host's own trouble.
    }
  }

  #warn = (message: string): void => this.#emit({ kind: 'warning', message })

  #deps(): UpdateDeps {
    return { clock: this.#options.clock ?? Date.now, emit: (event) => this.#emit(event) }
  }
}
