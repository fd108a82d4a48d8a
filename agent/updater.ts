// The updater of a running program: polls, installs, and sees a new version through its probation. Nothing that goes
// wrong in here stops the program; it becomes an event.

import type { Flags } from '../manifests/index.ts'
import { EventSink } from './events/event-sink.ts'
import { healthCheckOf } from './trial/health.ts'
import { homeAt } from './home/home.ts'
import { Journal } from './report/journal.ts'
import type { CheckResult } from './report/last-check.ts'
import { launcherWarnings, type LaunchRecord, readLaunchRecord } from './home/launch-record.ts'
import { withLock } from './home/lock.ts'
import { FleetTerms } from './poll/fleet-terms.ts'
import { runProbation } from './trial/probation.ts'
import { drain, exitForUpdate } from './restart/restart.ts'
import { restartItself } from './restart/restart-methods.ts'
import { PollDelays } from './poll/poll-delays.ts'
import { POLL_INTERVAL_MS } from './poll/schedule.ts'
import { Waits } from './poll/waits.ts'
import { loadSettings, type Settings } from './settings/settings.ts'
import { endTrial, finishUpdate, giveUp, type TrialContext, type TrialEnd } from './trial/trial.ts'
import type { UpdateDeps } from './update.ts'
import { obstacleOf, updateRole } from './settings/update-role.ts'
import { isLaunched, type RunningProgram, settleRunning, updateRunning } from './update-running.ts'
import type { UpdaterOptions } from './updater-options.ts'

const SETTINGS_RETRY_MS = 1000

export class Updater {
  readonly #options: UpdaterOptions
  readonly #events: EventSink
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  /** That of the polls, and that of a probation whose end cannot be written down. */
  readonly #waits = new Waits()
  /** Ends the present check. A signal of its own for each: one that lives as long as the process gathers listeners. */
  #work = new AbortController()
  #checking: Promise<CheckResult> | undefined
  #isVouchedFor = false
  #hasVerified = false
  #isOnTrial = false
  /** Whether the launcher started us. */
  #isLaunched = false
  /** Another version is in place, and the restart that was asked for has not come. */
  #isReplaced = false
  #terms: FleetTerms | undefined

  constructor(options: UpdaterOptions) {
    this.#options = options
    this.#events = new EventSink(options.onEvent, undefined, options.onFlags)
  }

  /** Starts polling in the background; never throws. The process may end while it waits. */
  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#events.emit({ kind: 'check-failed', error })
    })
  }

  /** By the last manifest that verified, also that of an earlier run; `{}` before any, and where updates are off. */
  get flags(): Flags {
    return this.#terms?.flags ?? {}
  }

  /** Ends polling; a download that is under way is dropped and resumed another time. */
  async stop(): Promise<void> {
    this.#end()
    await this.#running
  }

  /** Polls now instead of when the interval is over. */
  checkNow(): void {
    this.#waits.wake()
  }

  /** The agent vouches for its own health: its probation ends as soon as the manifest was verified once. */
  confirm(): void {
    this.#isVouchedFor = true
  }

  async #run(): Promise<void> {
    const settings = await this.#readSettings()
    if (settings === undefined) return
    const { warning } = updateRole(settings)
    if (warning !== undefined) this.#events.warn(warning)
    const terms = this.#terms
    if (terms === undefined) return
    const journal = new Journal(settings, this.#deps())
    this.#events.keep(journal.note)
    for (const warning of launcherWarnings(this.#options.env ?? process.env)) this.#events.warn(warning)
    const record = await this.#settled(settings)
    if (record === undefined) return
    const { version } = this.#options
    this.#events.emit({ kind: 'started', version, url: settings.url.href, intervalMs: terms.intervalMs })
    this.#isLaunched = isLaunched(record, version, this.#options.env ?? process.env)
    if (!this.#isLaunched)
      this.#events.warn(`version ${version} runs, but ${record.version} is installed: is the launcher used?`)
    this.#isOnTrial = record.trial !== undefined && record.version === version
    if (this.#isOnTrial) await this.#endTrial(settings, await finishUpdate(settings, record, this.#trialContext()))
    if (this.#stop.signal.aborted) return
    await Promise.all([
      this.#poll(settings, terms, journal),
      this.#isOnTrial ? this.#probation(settings, record) : undefined,
    ])
  }

  /** Settings that cannot be read now, such as a file that is just being written, are read again later. */
  async #readSettings(): Promise<Settings | undefined> {
    const env = this.#options.env ?? process.env
    const home = this.#options.home ?? env['MOULT_HOME']
    const obstacle = obstacleOf(home, this.#options.version, env)
    if (home === undefined || obstacle !== undefined) {
      this.#events.warn(`updates are off in this process: ${obstacle}`)
      return undefined
    }
    for (
      let delayMs = SETTINGS_RETRY_MS;
      !this.#stop.signal.aborted;
      delayMs = Math.min(2 * delayMs, POLL_INTERVAL_MS)
    ) {
      try {
        const settings = loadSettings(home, env, this.#options.settings)
        // At once and not after the first wait: a program reads its flags as soon as it has started us.
        if (updateRole(settings).kind !== 'none')
          this.#terms ??= new FleetTerms(settings, this.#options.version, this.#events.emit)
        if (settings.enabled) return settings
        this.#events.warn('updates are switched off by the settings')
        return undefined
      } catch (error) {
        this.#events.emit({ kind: 'check-failed', error, nextMs: delayMs })
      }
      // A version on trial that cannot read its settings could never update again; the one before it could.
      if (delayMs > SETTINGS_RETRY_MS && readLaunchRecord(homeAt(home).current)?.trial !== undefined) {
        const end = await giveUp(homeAt(home), 'settings', delayMs, this.#trialContext())
        if (end === 'rolled-back') await this.#restart()
      }
      await this.#wait(delayMs)
    }
    return undefined
  }

  /** Takes note of the last trial. A home that cannot be used now is tried again at each poll. */
  async #settled(settings: Settings): Promise<LaunchRecord | undefined> {
    for (;;) {
      try {
        return await withLock(settings.home, () => settleRunning(settings, this.#options.version, this.#deps()))
      } catch (error) {
        this.#events.emit({ kind: 'check-failed', error, nextMs: settings.intervalMs })
        await this.#wait(settings.intervalMs)
        if (this.#stop.signal.aborted) return undefined
      }
    }
  }

  async #poll(settings: Settings, terms: FleetTerms, journal: Journal): Promise<void> {
    const { firstPollMs, random } = this.#options
    const delays = new PollDelays(terms, random)
    let delayMs = delays.first(firstPollMs, this.#isOnTrial)
    for (;;) {
      await this.#wait(delayMs)
      if (this.#stop.signal.aborted) return
      this.#checking = this.#check(settings, terms)
      const result = await this.#checking
      if (this.#stop.signal.aborted) return
      journal.check(result)
      if (result.kind === 'swapped') await this.#restart(settings)
      if (this.#stop.signal.aborted) return
      delayMs = delays.after(result, this.#isOnTrial && !this.#hasVerified)
      if (result.kind === 'failed') this.#events.emit({ kind: 'check-failed', error: result.error, nextMs: delayMs })
    }
  }

  async #check(settings: Settings, terms: FleetTerms): Promise<CheckResult> {
    this.#work = new AbortController()
    const deps = { ...this.#deps(), signal: this.#work.signal }
    try {
      const result = await withLock(settings.home, () => updateRunning(settings, this.#facts(), deps))
      terms.take(result)
      this.#hasVerified = true
      return result
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  #facts(): RunningProgram {
    return {
      version: this.#options.version,
      isLaunched: this.#isLaunched,
      isOnTrial: this.#isOnTrial,
      isReplaced: this.#isReplaced,
    }
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
    await this.#endTrial(settings, await endTrial(settings, outcome, this.#trialContext()))
  }

  async #endTrial(settings: Settings, end: TrialEnd | undefined): Promise<void> {
    if (end !== undefined) this.#isOnTrial = false
    if (end === 'rolled-back') await this.#restart(settings)
  }

  #trialContext(): TrialContext {
    const { version } = this.#options
    const { clock, emit } = this.#deps()
    return { version, clock, emit, wait: (delayMs) => this.#wait(delayMs), signal: this.#stop.signal }
  }

  /** Comes back without an end only when the program outlives it; polls then go on, and change nothing any more. */
  async #restart(settings?: Settings): Promise<void> {
    const { beforeRestart, restart, env = process.env } = this.#options
    await drain(beforeRestart, settings?.drainTimeoutMs)
    // One that is under way would leave its lock behind, and after `exec` that would pass for held by the next version.
    this.#work.abort()
    await this.#checking
    if (restart !== undefined || settings === undefined) {
      await (restart ?? exitForUpdate)()
      return this.#end()
    }
    const { home, root } = settings
    const warn = (message: string): void => this.#events.warn(message)
    await restartItself(settings.restart, { home, name: root.name, env, warn, signal: this.#stop.signal })
    this.#isReplaced = true
  }

  #end(): void {
    this.#stop.abort()
    this.checkNow()
    this.#work.abort()
  }

  async #wait(delayMs: number): Promise<void> {
    if (!this.#stop.signal.aborted) await this.#waits.wait(delayMs)
  }

  #deps(): UpdateDeps {
    return { clock: this.#options.clock ?? Date.now, emit: this.#events.emit }
  }
}
