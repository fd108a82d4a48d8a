// The updater of a running program: polls, installs, and sees a new version through its probation. Nothing that goes
// wrong in here stops the program; it becomes an event.

import { setTimeout as sleep } from 'node:timers/promises'

import { isMoultError } from '../manifests/index.ts'
import { EventSink } from './event-sink.ts'
import { healthCheckOf } from './health.ts'
import { type Home, homeAt } from './home.ts'
import { noteCheck } from './last-check.ts'
import { type LaunchRecord, readLaunchRecord } from './launch-record.ts'
import { withLock } from './lock.ts'
import { retryAfterOf } from './poll.ts'
import { runProbation } from './probation.ts'
import { drain, exitForUpdate } from './restart.ts'
import { firstPollDelayMs, nextPollDelayMs, POLL_INTERVAL_MS } from './schedule.ts'
import { settle } from './settle.ts'
import { loadSettings, type Settings } from './settings.ts'
import type { UpdateDeps, UpdateResult } from './update.ts'
import { type RunningProgram, updateRunning } from './update-running.ts'
import type { UpdaterOptions } from './updater-options.ts'
import { confirmVersion, rollBackVersion } from './verdict.ts'

/** On probation polls come quicker until one succeeds: without it the new version cannot be confirmed. */
const TRIAL_INTERVAL_MS = 10_000
const TRIAL_POLL_MIN_MS = 1000
const LOCK_RETRY_MS = 200
const SETTINGS_RETRY_MS = 1000

export class Updater {
  readonly #options: UpdaterOptions
  readonly #events: EventSink
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  /** End the present waits: that of the polls, and that of a probation whose end cannot be written down. */
  readonly #wakes = new Set<AbortController>()
  /** Ends the present check. A signal of its own for each: one that lives as long as the process gathers listeners. */
  #work = new AbortController()
  #isVouchedFor = false
  #hasVerified = false
  #isOnTrial = false
  /** Whether the launcher started us: what runs was what is installed. */
  #isLaunched = false
  #failures = 0

  constructor(options: UpdaterOptions) {
    this.#options = options
    this.#events = new EventSink(options.onEvent)
  }

  /** Starts polling in the background; never throws. The process may end while it waits. */
  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#events.emit({ kind: 'check-failed', error })
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
    const { version } = this.#options
    this.#events.emit({ kind: 'started', version, url: settings.url.href, intervalMs: settings.intervalMs })
    if (record.version !== version)
      this.#events.warn(`version ${version} runs, but ${record.version} is installed: is the launcher used?`)
    this.#isLaunched = record.version === version
    this.#isOnTrial = record.trial !== undefined && this.#isLaunched
    await Promise.all([this.#poll(settings), this.#isOnTrial ? this.#probation(settings, record) : undefined])
  }

  /** Settings that cannot be read now, such as a file that is just being written, are read again later. */
  async #readSettings(): Promise<Settings | undefined> {
    const env = this.#options.env ?? process.env
    const home = this.#options.home ?? env['MOULT_HOME']
    if (home === undefined || env['MOULT_SUPERVISED'] !== undefined) {
      const reason = home === undefined ? 'no home directory is set' : 'the supervisor takes care of them'
      this.#events.warn(`updates are off in this process: ${reason}`)
      return undefined
    }
    for (
      let delayMs = SETTINGS_RETRY_MS;
      !this.#stop.signal.aborted;
      delayMs = Math.min(2 * delayMs, POLL_INTERVAL_MS)
    ) {
      try {
        const settings = loadSettings(home, env, this.#options.settings)
        if (settings.enabled) return settings
        this.#events.warn('updates are switched off by the settings')
        return undefined
      } catch (error) {
        this.#events.emit({ kind: 'check-failed', error, nextMs: delayMs })
      }
      // A version on trial that cannot read its settings could never update again; the one before it could.
      if (delayMs > SETTINGS_RETRY_MS && readLaunchRecord(homeAt(home).current)?.trial !== undefined) {
        await this.#attempt(delayMs, () => this.#rollBack(homeAt(home), 'settings'))
      }
      await this.#wait(delayMs)
    }
    return undefined
  }

  /** Takes note of the last trial. A home that cannot be used now is tried again at each poll. */
  async #settled(settings: Settings): Promise<LaunchRecord | undefined> {
    for (;;) {
      try {
        return await withLock(settings.home, async () => settle(settings, this.#deps()))
      } catch (error) {
        this.#events.emit({ kind: 'check-failed', error, nextMs: settings.intervalMs })
        await this.#wait(settings.intervalMs)
        if (this.#stop.signal.aborted) return undefined
      }
    }
  }

  async #poll(settings: Settings): Promise<void> {
    const { firstPollMs, random = Math.random } = this.#options
    const { intervalMs } = settings
    const trialDelayMs = (): number => Math.min(intervalMs, firstPollDelayMs(TRIAL_INTERVAL_MS, random()))
    let delayMs = firstPollMs ?? firstPollDelayMs(intervalMs, random())
    if (this.#isOnTrial) delayMs = Math.min(delayMs, trialDelayMs())
    for (;;) {
      await this.#wait(delayMs)
      if (this.#stop.signal.aborted) return
      const result = await this.#check(settings)
      if (this.#stop.signal.aborted) return
      noteCheck(settings.home, result, (this.#options.clock ?? Date.now)())
      if (result.kind === 'swapped') return this.#restart()
      delayMs = nextPollDelayMs(
        intervalMs,
        this.#failures,
        retryAfterOf('error' in result ? result.error : undefined),
        random(),
      )
      // Whatever the host asks for: without one good poll before the deadline the version is rolled back.
      if (this.#isOnTrial && !this.#hasVerified)
        delayMs = Math.max(Math.min(intervalMs, TRIAL_POLL_MIN_MS), trialDelayMs())
      if (result.kind === 'failed') this.#events.emit({ kind: 'check-failed', error: result.error, nextMs: delayMs })
    }
  }

  async #check(settings: Settings): Promise<UpdateResult | { kind: 'failed'; error: unknown }> {
    this.#work = new AbortController()
    const deps = { ...this.#deps(), signal: this.#work.signal }
    try {
      const result = await withLock(settings.home, () => updateRunning(settings, this.#facts(), deps))
      this.#hasVerified = true
      this.#failures = 0
      return result
    } catch (error) {
      this.#failures += 1
      return { kind: 'failed', error }
    }
  }

  #facts(): RunningProgram {
    return { version: this.#options.version, isLaunched: this.#isLaunched, isOnTrial: this.#isOnTrial }
  }

  async #probation(settings: Settings, record: LaunchRecord): Promise<void> {
    const { started, tries } = record.trial ?? { started: 0, tries: 0 }
    this.#events.emit({ kind: 'trial', version: record.version, started, tries })
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
    while (!(await this.#attempt(settings.intervalMs, end))) await this.#wait(settings.intervalMs)
  }

  async #attempt(nextMs: number, end: () => Promise<void>): Promise<boolean> {
    try {
      await end()
      return true
    } catch (error) {
      if (this.#stop.signal.aborted) return true
      // The lock is held by a poll of our own for moments only.
      if (isMoultError(error) && error.code === 'ERR_LOCK_HELD') {
        await sleep(LOCK_RETRY_MS)
        return this.#attempt(nextMs, end)
      }
      this.#events.emit({ kind: 'check-failed', error, nextMs })
      return false
    }
  }

  async #confirm(settings: Settings): Promise<void> {
    const { version } = this.#options
    if (await withLock(settings.home, async () => confirmVersion(settings, version)))
      this.#events.emit({ kind: 'confirmed', version })
    this.#isOnTrial = false
  }

  async #rollBack(home: Home, reason: string): Promise<void> {
    const { version } = this.#options
    const to = await withLock(home, async () => rollBackVersion(home, version, reason))
    if (to !== undefined) return this.#restart()
    this.#events.warn(`version ${version} failed its probation (${reason}), and there is no other to go back to`)
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

  #deps(): UpdateDeps {
    return { clock: this.#options.clock ?? Date.now, emit: this.#events.emit }
  }
}
