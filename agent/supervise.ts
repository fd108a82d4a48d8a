// Runs any program as a child and keeps it up to date: what the launcher and an embedded updater do together, for
// programs that know nothing of updates and for systems without a shell.

import { spawn, type ChildProcess } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import { EXIT_UPDATED } from '../manifests/index.ts'
import type { AgentEvent } from './events/events.ts'
import { type Launch, prepareLaunch } from './trial/launch.ts'
import { lastManifest } from './poll/last-manifest.ts'
import { pollIntervalMs } from './poll/poll-interval.ts'
import { firstPollDelayMs } from './poll/schedule.ts'
import type { Settings } from './settings/settings.ts'
import type { SettingsFile } from './settings/settings-file.ts'
import { Updater } from './updater.ts'

const RESTART_MIN_MS = 1000
const RESTART_MAX_MS = 60_000
/** A program that ran this long has recovered: the next restart waits the shortest time again. */
const STEADY_MS = 60_000

/** What launchers, supervisors and updaters tell the programs that they start. */
const TOLD_VARIABLE = /^MOULT_(?:HOME|VERSION|TRIAL|LAUNCHER|LAUNCH|SUPERVISED|PREFLIGHT|HOOK|PREVIOUS|DAMAGED)$/

export interface SuperviseOptions {
  readonly settings: Settings
  readonly overrides: Partial<SettingsFile>
  readonly args: readonly string[]
  readonly onEvent: (event: AgentEvent) => void
  /** Stops the program and the supervisor. */
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
}

interface Ending {
  readonly code: number | null
  readonly killedBy: NodeJS.Signals | null
}

/** A program that cannot even be started has ended like one that crashed at once. */
const NOT_STARTED: Ending = { code: 127, killedBy: null }

/**
 * Runs until the program ends by itself with status 0, or `signal` is aborted. Any other end is a crash: the program is
 * started again with growing delays, and a version on trial is rolled back when its tries are used up.
 *
 * @returns the exit status for the supervisor's own process
 * @throws MoultError ERR_HOME_INVALID when nothing is installed that could run
 */
export async function supervise(options: SuperviseOptions): Promise<number> {
  const { settings, onEvent, signal } = options
  const warn = (message: string): void => onEvent({ kind: 'warning', message })
  /** When the next poll is due: a program that crashes in a loop MUST NOT put off the poll that brings its cure. */
  const intervalMs = pollIntervalMs(settings, lastManifest(settings)?.manifest.rollout.poll)
  const polls = { intervalMs, dueMs: performance.now() + firstPollDelayMs(intervalMs, Math.random()) }
  let crashes = 0
  for (;;) {
    const launch = prepareLaunch(settings.home, warn)
    const startedMs = performance.now()
    const delayAfter = (ending: Ending): number => {
      // An agent that updates itself by other means must not spin either.
      if (ending.code === EXIT_UPDATED) return RESTART_MIN_MS
      crashes = performance.now() - startedMs > STEADY_MS ? 1 : crashes + 1
      return Math.min(RESTART_MIN_MS * 2 ** (crashes - 1), RESTART_MAX_MS)
    }
    const { ending, isUpdated } = await runOnce(launch, polls, delayAfter, options)
    if (signal.aborted) return 0
    if (isUpdated || ending.code === EXIT_UPDATED) crashes = 0
    else if (isFinished(launch, ending)) return 0
  }
}

/** On trial even an end with status 0 is one that the version before it did not have. */
function isFinished(launch: Launch, ending: Ending): boolean {
  return ending.code === 0 && launch.trial === undefined
}

/** One life of the program, and the pause after it, with an updater beside them. */
async function runOnce(
  launch: Launch,
  polls: { dueMs: number; intervalMs: number },
  delayAfter: (ending: Ending) => number,
  options: SuperviseOptions,
) {
  const { settings, overrides, onEvent, signal, env } = options
  const child = startProgram(launch, options)
  const ended = child === undefined ? Promise.resolve(NOT_STARTED) : endingOf(child)
  let isUpdated = false
  const resting = new AbortController()
  const stopChild = async (): Promise<void> => {
    if (child !== undefined) await stopProgram(child, ended, settings.stopTimeoutMs)
  }
  const updater = new Updater({
    version: launch.version,
    home: settings.home.path,
    settings: overrides,
    firstPollMs: Math.max(0, polls.dueMs - performance.now()),
    env: { ...env, MOULT_LAUNCHER: '1', MOULT_VERSION: launch.version },
    onEvent: (event) => {
      if (event.kind === 'checked') polls.intervalMs = event.intervalMs ?? polls.intervalMs
      if (event.kind === 'checked' || event.kind === 'check-failed') polls.dueMs = performance.now() + polls.intervalMs
      onEvent(event)
    },
    restart: async () => {
      isUpdated = true
      resting.abort()
      await stopChild()
    },
  })
  updater.start()
  const onStop = (): void => void stopChild()
  signal.addEventListener('abort', onStop, { once: true })
  if (signal.aborted) onStop()
  const ending = await ended
  signal.removeEventListener('abort', onStop)
  onEvent({ kind: 'program-exited', version: launch.version, status: ending.killedBy ?? `status ${ending.code}` })
  // A trial ends with the program: while that is down nothing may count as its health. Else polls go on in the pause.
  if (launch.trial !== undefined) await updater.stop()
  const isOver = isUpdated || signal.aborted || isFinished(launch, ending)
  if (!isOver) await pause(delayAfter(ending), AbortSignal.any([signal, resting.signal]))
  await updater.stop()
  return { ending, isUpdated }
}

/** @returns undefined where the system refuses at once, say for want of memory or of room for the arguments */
function startProgram(launch: Launch, { settings, args, env, onEvent }: SuperviseOptions): ChildProcess | undefined {
  // A launcher or supervisor above this one has said the same things of itself.
  const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => !TOLD_VARIABLE.test(name)))
  let child: ChildProcess
  try {
    child = spawn(launch.program, args, {
      stdio: 'inherit',
      env: {
        ...inherited,
        MOULT_HOME: settings.home.path,
        MOULT_VERSION: launch.version,
        MOULT_SUPERVISED: '1',
        ...(launch.trial === undefined ? {} : { MOULT_TRIAL: String(launch.trial) }),
      },
    })
  } catch (error) {
    onEvent({ kind: 'warning', message: `version ${launch.version} cannot be started: ${(error as Error).message}` })
    return undefined
  }
  if (child.pid !== undefined) onEvent({ kind: 'program-started', version: launch.version, pid: child.pid })
  return child
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('exit', (code, killedBy) => resolve({ code, killedBy }))
    child.once('error', () => resolve(NOT_STARTED))
  })
}

async function stopProgram(child: ChildProcess, ended: Promise<Ending>, timeoutMs: number): Promise<void> {
  child.kill('SIGTERM')
  const timer = new AbortController()
  const late = sleep(timeoutMs, 'late' as const, { signal: timer.signal }).catch(() => undefined)
  if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL')
  timer.abort()
  await ended
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => undefined)
}
