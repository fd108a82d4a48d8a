// The updater of a running program: polls, installs, and sees a new version through its probation. Nothing that goes
// wrong in here stops the program; it becomes an event.

import { setTimeout as sleep } from 'node:timers/promises'

import { isMoultError } from '../manifests/index.ts'
import { type AgentEvent, decisionKey } from './events.ts'
import { healthCheckOf } from './health.ts'
import type { LaunchRecord } from './launch-record.ts'
import { withLock } from './lock.ts'
import { runProbation } from './probation.ts'
import { drain, exitForUpdate } from './restart.ts'
import { firstPollDelayMs, nextPollDelayMs } from './schedule.ts'
import { settle } from './settle.ts'
import { loadSettings, type Settings, type SettingsFile } from './settings.ts'
import { update, type UpdateDeps, type UpdateResult } from './update.ts'
import { confirmVersion, rollBackVersion } from './verdict.ts'

/** On probation polls come quicker until one succeeds: without it the new version cannot be confirmed. */
const TRIAL_INTERVAL_MS = 10_000
const LOCK_RETRY_MS = 200

export interface UpdaterOptions {
  /** The version that runs, as it was built in. */
  version: string
  /** The home directory; `MOULT_HOME`, which the launcher sets, when absent. Without one, updates are off. */
  home?: string | undefined
  /** Settings that win over `agent.json` and the environment. */
  settings?: Partial<SettingsFile>
  /** Healthy when true; asked repeatedly during a probation. A check that throws or hangs counts as unhealthy. */
  health?: () => boolean | Promise<boolean>
  /** Lets the agent finish its work before a restart; it has 30 seconds. */
  beforeRestart?: () => void | Promise<void>
  /** Starts what the launch record names; exits with code 100 when absent. */
  restart?: () => void | Promise<void>
  onEvent?: (event: AgentEvent) => void
  /** Waits this long before the first poll instead of a random part of the interval: milliseconds. */
  firstPollMs?: number
  env?: Readonly<Record<string, string | undefined>>
  clock?: () => number
  random?: () => number
}

export class Updater {
  readonly #options: UpdaterOptions
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  /** Ends the present wait. */
  #wake = new AbortController()
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
    this.#wake.abort()
  }

  /** The agent vouches for its own health: its probation ends as soon as the manifest was verified once. */
  confirm(): void {
    this.#isVouchedFor = true
  }

  async #run(): Promise<void> {
    const settings = this.#loadSettings()
    if (settings === undefined) return
    const record = await this.#settled(settings)
    if (record === undefined) return
    this.#emit({ kind: 'started', version: this.#options.version, url: settings.url.href, intervalMs: settings.intervalMs })
    const { version } = this.#options
    if (record.version !== version) {
      const message = `version ${version} runs, but ${record.version} is installed: is the launcher used?`
      this.#emit({ kind: 'warning', message })
    }
    this.#isOnTrial = record.trial !== undefined && record.version === version
    await Promise.all([this.#poll(settings), this.#isOnTrial ? this.#probation(settings, record) : undefined])
  }

  #loadSettings(): Settings | undefined {
    const env = this.#options.env ?? process.env
    const home = this.#options.home ?? env['MOULT_HOME']
    if (home === undefined || env['MOULT_SUPERVISED'] !== undefined) {
      const reason = home === undefined ? 'no home directory is set' : 'the supervisor takes care of them'
      this.#emit({ kind: 'warning', message: `updates are off in this process: ${reason}` })
      return undefined
    }
    const settings = loadSettings(home, env, this.#options.settings)
    if (settings.enabled) return settings
    this.#emit({ kind: 'warning', message: 'updates are switched off by the settings' })
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
    const firstIntervalMs = Math.min(settings.intervalMs, this.#isOnTrial ? TRIAL_INTERVAL_MS : settings.intervalMs)
    let delayMs = firstPollMs ?? firstPollDelayMs(firstIntervalMs, random())
    for (;;) {
      await this.#wait(delayMs)
      if (this.#stop.signal.aborted) return
      const result = await this.#check(settings)
      if (this.#stop.signal.aborted) return
      if (result.kind === 'swapped') return this.#restart()
      const isUrgent = this.#isOnTrial && !this.#hasVerified
      const intervalMs = isUrgent ? Math.min(settings.intervalMs, TRIAL_INTERVAL_MS) : settings.intervalMs
      delayMs = nextPollDelayMs(intervalMs, this.#failures, retryAfterOf(result), random())
      if (result.kind === 'failed') this.#emit({ kind: 'check-failed', error: result.error, nextMs: delayMs })
    }
  }

  async #check(settings: Settings): Promise<UpdateResult | { kind: 'failed'; error: unknown }> {
    this.#work = new AbortController()
    const deps = { ...this.#deps(), emit: (event: AgentEvent) => this.#emitCheck(event), signal: this.#work.signal }
    try {
      // On probation the next update has to wait: it would take away the version to go back to.
      const result = await withLock(settings.home, () => update(settings, { apply: !this.#isOnTrial }, deps))
      this.#hasVerified = true
      this.#failures = 0
      return result
    } catch (error) {
      this.#failures += 1
      return { kind: 'failed', error }
    }
  }

  async #probation(settings: Settings, record: LaunchRecord): Promise<void> {
    const { version } = this.#options
    const { started, tries } = record.trial ?? { started: 0, tries: 0 }
    this.#emit({ kind: 'trial', version, started, tries })
    const outcome = await runProbation({
      durationMs: settings.probationMs,
      deadlineMs: settings.probationDeadlineMs,
      health: healthCheckOf(settings.health, this.#options.health),
      hasVerified: () => this.#hasVerified,
      isVouchedFor: () => this.#isVouchedFor,
      signal: this.#stop.signal,
    })
    const end = outcome.kind === 'healthy' ? () => this.#confirm(settings) : () => this.#rollBack(settings, outcome.reason)
    while (!(await this.#attempt(settings, end))) await this.#wait(settings.intervalMs)
  }

  async #attempt(settings: Settings, end: () => Promise<void>): Promise<boolean> {
    try {
      await end()
      return true
    } catch (error) {
      if (this.#stop.signal.aborted) return true
      // The lock is held by a poll of our own for moments only.
      const isBusy = isMoultError(error) && error.code === 'ERR_LOCK_HELD'
      if (isBusy) await sleep(LOCK_RETRY_MS)
      else this.#emit({ kind: 'check-failed', error, nextMs: settings.intervalMs })
      return isBusy ? this.#attempt(settings, end) : false
    }
  }

  async #confirm(settings: Settings): Promise<void> {
    const { version } = this.#options
    if (await withLock(settings.home, async () => confirmVersion(settings, version))) this.#emit({ kind: 'confirmed', version })
    this.#isOnTrial = false
  }

  async #rollBack(settings: Settings, reason: string): Promise<void> {
    const { version } = this.#options
    const to = await withLock(settings.home, async () => rollBackVersion(settings.home, version, reason))
    if (to !== undefined) return this.#restart()
    this.#emit({ kind: 'warning', message: `version ${version} failed its probation (${reason}), and there is no other to go back to` })
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
    this.#wake.abort()
    this.#work.abort()
  }

  async #wait(delayMs: number): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#wake = new AbortController()
    await sleep(delayMs, undefined, { signal: this.#wake.signal, ref: false }).catch(() => undefined)
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

  #deps(): UpdateDeps {
    return { clock: this.#options.clock ?? Date.now, emit: (event) => this.#emit(event) }
  }
}

/** What the host asked for with `Retry-After`, in milliseconds. */
function retryAfterOf(result: { kind: string; error?: unknown }): number {
  const asked = isMoultError(result.error) ? result.error.details['retryAfterMs'] : undefined
  return typeof asked === 'number' ? asked : 0
}

