// How a version that was swapped in gets to run. Only after the launch record is durable, so whatever goes wrong here, the
// next start is the new version's; and what cannot restart the program falls back to what always works.

import { spawn } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { argv, stderr, stdout } from 'node:process'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Home } from '../home/home.ts'
import { exitForUpdate } from './restart.ts'
import { readIfPossible } from '../home/durable-file.ts'
import { type Unit, unitOfGroups } from './systemd-unit.ts'

/** `exit`: end with status 100. `exec`: become the launcher. The others ask systemd, or send a signal. */
export const RESTART_METHODS = ['exit', 'exec', 'systemd', 'signal'] as const
export type RestartMethod = (typeof RESTART_METHODS)[number]

export const RESTART_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const

export const RESTART_TIMEOUT_MS = 30_000

export interface RestartSettings {
  readonly method: RestartMethod
  readonly unit?: string
  readonly signal: (typeof RESTART_SIGNALS)[number]
  /** Absolute. */
  readonly pidFile?: string
  /** How long systemd or the program may take after it was asked. */
  readonly timeoutMs: number
}

export interface RestartContext {
  readonly home: Home
  /** Of the project: the usual name of the unit. */
  readonly name: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly warn: (message: string) => void
  /** Ends the wait for a restart that was asked for. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Restarts the process that calls. It does not return when that works. A signal may be without effect: then this returns,
 * the program works on, and the new version runs at its next start.
 */
export async function restartItself(restart: RestartSettings, context: RestartContext): Promise<void> {
  switch (restart.method) {
    case 'exit':
      return exitForUpdate()
    case 'exec':
      becomeLauncher(context)
      return exitForUpdate()
    case 'systemd':
      await restartOwnUnit(restart, context)
      // Told to stop meanwhile, the program ends in its own way.
      return context.signal?.aborted === true ? undefined : exitForUpdate()
    case 'signal':
      return signalItself(restart, context)
  }
}

/**
 * Restarts a program from outside, after a one-shot update.
 * @returns false when that is left to the caller: by the method, or after a warning
 */
export async function restartProgram(
  restart: RestartSettings,
  context: Pick<RestartContext, 'name' | 'warn'>,
): Promise<boolean> {
  const { method, unit, signal, pidFile, timeoutMs } = restart
  if (method === 'systemd') {
    const named = unit ?? `${context.name}.service`
    const failure = await runSystemctl({ name: named, isOfUser: false }, timeoutMs)
    if (failure !== undefined) context.warn(`systemctl cannot restart ${named}: ${failure}`)
    return failure === undefined
  }
  if (method !== 'signal') return false
  const failure = pidFile === undefined ? 'no pidFile is set' : sendSignal(signal, () => readPid(pidFile))
  if (failure !== undefined) context.warn(`no ${signal} was sent: ${failure}`)
  return failure === undefined
}

type Execve = (file: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>) => void

/** Replaces this process by the launcher, with the same arguments, so that the try is counted. Returns if it cannot. */
function becomeLauncher({ home, env, warn }: RestartContext): void {
  // The launcher that stayed as the parent starts the next version itself; one launcher in another would pile up.
  if (env['MOULT_LAUNCH'] === 'stay') return
  const { execve } = process as { execve?: Execve }
  if (execve === undefined) {
    return warn(`exiting with status 100: Node ${process.versions.node} cannot replace its process, 22.15 can`)
  }
  const { MOULT_TRIAL: _, MOULT_VERSION: __, ...inherited } = env
  try {
    // A failure of execve() itself would abort the process.
    accessSync(home.launch, constants.X_OK)
    for (const stream of [stdout, stderr]) makeBlocking(stream)
    execve(home.launch, [home.launch, ...argv.slice(2)], inherited)
  } catch (error) {
    warn(`exiting with status 100, as the launcher cannot be run: ${(error as Error).message}`)
  }
}

/** Node makes pipes non-blocking, and undoes that only at an ordinary exit: a plain program would lose what it writes. */
function makeBlocking(stream: unknown): void {
  const { _handle: handle } = stream as { _handle?: { setBlocking?: (isBlocking: boolean) => unknown } }
  handle?.setBlocking?.(true)
}

async function restartOwnUnit({ unit, timeoutMs }: RestartSettings, context: RestartContext): Promise<void> {
  const { name, warn, signal } = context
  const own = unitOfGroups(textOf('/proc/self/cgroup'))
  const target = unit === undefined ? (own ?? { name: `${name}.service`, isOfUser: false }) : unitNamed(unit, own)
  const failure = await runSystemctl(target, timeoutMs)
  if (failure !== undefined) {
    return warn(`exiting with status 100, as systemctl cannot restart ${target.name}: ${failure}`)
  }
  await waitForEnd(timeoutMs, signal)
  if (signal?.aborted === true) return
  warn(`exiting with status 100, as systemd has not restarted ${target.name} in ${timeoutMs / 1000} s`)
}

/** The manager of the user, when this process is under it. */
function unitNamed(name: string, own: Unit | undefined): Unit {
  return { name, isOfUser: own?.isOfUser === true }
}

async function signalItself({ signal, pidFile, timeoutMs }: RestartSettings, context: RestartContext): Promise<void> {
  const failure = sendSignal(signal, () => (pidFile === undefined ? process.pid : readPid(pidFile)))
  const later = 'the new version runs at the next start of the program'
  if (failure !== undefined) return context.warn(`no ${signal} was sent: ${failure}; ${later}`)
  await waitForEnd(timeoutMs, context.signal)
  if (context.signal?.aborted !== true)
    context.warn(`the program still runs ${timeoutMs / 1000} s after ${signal}; ${later}`)
}

/** @returns what went wrong, or undefined */
function sendSignal(signal: NodeJS.Signals, pidOf: () => number): string | undefined {
  try {
    process.kill(pidOf(), signal)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** @throws Error; 0 and negative numbers would mean whole groups of processes */
function readPid(path: string): number {
  const text = readIfPossible(path)?.toString('utf8').trim() ?? ''
  if (!/^[1-9][0-9]{0,9}$/.test(text) || text === '1') throw new Error(`no pid of a program in ${path}`)
  return Number(text)
}

/** @returns what went wrong, or undefined once systemd has taken the job */
async function runSystemctl({ name, isOfUser }: Unit, timeoutMs: number): Promise<string | undefined> {
  // Without waiting for the job: it ends this very process.
  const args = [...(isOfUser ? ['--user'] : []), 'restart', '--no-block', name]
  return new Promise<string | undefined>((resolve) => {
    const child = spawn('systemctl', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: timeoutMs })
    // Without a descriptor left there is none, and the error comes as an event that has to be listened to.
    const stderr: Readable | undefined = child.stderr
    let said = ''
    stderr?.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-500)))
    child.once('error', ({ message }) => resolve(message))
    child.once('close', (code, killedBy) => {
      if (code === 0) resolve(undefined)
      else resolve(said.trim().replace(/\s+/g, ' ') || `it ended with ${killedBy ?? `status ${code}`}`)
    })
  }).catch((error: unknown) => (error as Error).message)
}

/** Until the process is ended from outside, or the time is over. */
async function waitForEnd(timeoutMs: number, signal?: AbortSignal): Promise<void> {
  await sleep(timeoutMs, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) }).catch(() => undefined)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
