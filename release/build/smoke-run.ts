import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MoultError } from '../../manifests/errors.ts'
import { type Platform, platformOf } from '../../manifests/platform.ts'
import { inspectExecutable } from './inspect-executable.ts'

export interface SmokeRun {
  ran: boolean
  how: 'native' | 'qemu' | 'skipped'
  /** Why it was skipped. */
  reason?: string
}

export interface SmokeRunOptions {
  /** Default `['--version']`. */
  args?: readonly string[]
  /** Variables for the program besides the few it always gets. */
  env?: Readonly<Record<string, string>>
  /** False: exit status 0 is enough. Default true. */
  isVersionShown?: boolean
  /** Default one minute. */
  timeoutMs?: number
  signal?: AbortSignal
  /** Platform of this machine; for tests. */
  host?: Platform
}

interface Plan {
  how: 'native' | 'qemu'
  command: string
  args: string[]
}

interface Outcome {
  exit: string
  output: string
  isSuccess: boolean
}

const SMOKE_TIMEOUT_MS = 60_000
const OUTPUT_MAX_CHARS = 4_000
const BUSY_RETRIES = 5
const BUSY_DELAY_MS = 100

// The program is the agent with all its dependencies, and it runs where the signing keys are: it gets no more of the
// environment than it needs to print its version. NODE_OPTIONS in particular would load foreign code into it.
const PASSED_VARIABLES = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'LD_LIBRARY_PATH',
]

const QEMU: Readonly<Record<string, { name: string; sysroot: string }>> = {
  'linux-amd64': { name: 'x86_64', sysroot: '/usr/x86_64-linux-gnu' },
  'linux-arm64': { name: 'aarch64', sysroot: '/usr/aarch64-linux-gnu' },
  'linux-arm': { name: 'arm', sysroot: '/usr/arm-linux-gnueabihf' },
  'linux-riscv64': { name: 'riscv64', sysroot: '/usr/riscv64-linux-gnu' },
}

const MISSING_LIBRARY = /Could not open '[^']*ld[^']*'|error while loading shared libraries: \S+/

/**
 * Runs `<path> --version` and expects exit status 0 and the version in the output: directly, or by qemu's user mode
 * where that is installed. `skipped` when neither can run a program of this platform here.
 * @throws MoultError ERR_BUILD_FAILED when the program fails, hangs or prints another version
 */
export async function smokeRun(
  path: string,
  platform: Platform,
  version: string,
  options: SmokeRunOptions = {},
): Promise<SmokeRun> {
  const args = options.args ?? ['--version']
  const plan = await planRun(path, platform, args, options.host ?? platformOf(process.platform, process.arch))
  if (typeof plan === 'string') return { ran: false, how: 'skipped', reason: plan }

  const outcome = await runPlan(plan, options)
  const isVersionShown = options.isVersionShown === false || mentionsVersion(outcome.output, version)
  if (outcome.isSuccess && isVersionShown) return { ran: true, how: plan.how }

  const missing = MISSING_LIBRARY.exec(outcome.output)
  // A fact about this machine's foreign libraries, not about the program.
  if (plan.how === 'qemu' && missing !== null) return { ran: false, how: 'skipped', reason: `qemu: ${missing[0]}` }

  const command = [path, ...args].join(' ')
  const reason = outcome.isSuccess ? `the version ${version} is not in its output` : outcome.exit
  throw new MoultError(
    'ERR_BUILD_FAILED',
    `the smoke run failed: ${command}: ${reason}: ${outcome.output || '(no output)'}`,
    {
      hint:
        missing === null ? hintFor(outcome) : 'Install the shared library on this machine (libatomic1 for Node 26).',
      details: { path, platform, version, how: plan.how, output: outcome.output },
    },
  )
}

function hintFor(outcome: Outcome): string {
  return outcome.isSuccess
    ? 'The agent must print its version for --version: a bundle `__MOULT_VERSION__`, a command what MOULT_VERSION was. A bundle starts itself without asking whether it is the main module.'
    : 'The agent must answer --version and end with status 0. Run it by hand to see why it does not.'
}

/** The version as a whole word: 1.2.3 is neither in 11.2.3 nor in 1.2.3-beta.1. */
export function mentionsVersion(output: string, version: string): boolean {
  const escaped = version.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`(?<![0-9]|[0-9][.+-])${escaped}(?![0-9A-Za-z+-]|\\.[0-9A-Za-z])`).test(output)
}

/** How to run it, or why that cannot be done. */
async function planRun(
  path: string,
  platform: Platform,
  args: readonly string[],
  host: Platform,
): Promise<Plan | string> {
  if (host.startsWith('windows-') && platform === host && (await isScript(path)))
    return 'Windows starts no scripts by their first line'
  const isSameOs = platform.split('-')[0] === host.split('-')[0]
  if (platform === host || (isSameOs && (await isScript(path))))
    return { how: 'native', command: path, args: [...args] }

  const qemu = QEMU[platform]
  if (qemu === undefined || !isSameOs) return `a program for ${platform} does not run on ${host}`
  const command = findInPath([`qemu-${qemu.name}-static`, `qemu-${qemu.name}`])
  if (command === undefined) return `qemu-${qemu.name}-static is not installed`
  const sysroot = existsSync(qemu.sysroot) ? ['-L', qemu.sysroot] : []
  return { how: 'qemu', command, args: [...sysroot, path, ...args] }
}

async function isScript(path: string): Promise<boolean> {
  return (await inspectExecutable(path)).format === 'script'
}

function findInPath(names: readonly string[]): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '')
  return names.flatMap((name) => directories.map((directory) => join(directory, name))).find((path) => existsSync(path))
}

async function runPlan(plan: Plan, options: SmokeRunOptions): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await runOnce(plan, options)
    // A child that another build starts at this moment holds a copy of the descriptor this file was written by.
    if (outcome !== 'busy') return outcome
    if (attempt > BUSY_RETRIES) return { exit: 'the file is busy (ETXTBSY)', output: '', isSuccess: false }
    await sleep(BUSY_DELAY_MS)
  }
}

async function runOnce(plan: Plan, options: SmokeRunOptions): Promise<Outcome | 'busy'> {
  const { execa } = await import('execa')
  const timeoutMs = options.timeoutMs ?? SMOKE_TIMEOUT_MS
  const isGroup = process.platform !== 'win32'
  let stopped: string | undefined
  const child = execa(plan.command, plan.args, {
    cwd: tmpdir(),
    env: { ...passedVariables(), ...options.env },
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    reject: false,
    // A group of its own, so that a program that left children behind ends with them; they would keep the pipes open.
    detached: isGroup,
    maxBuffer: 1_000_000,
  })
  const stop = (reason: string): void => {
    stopped ??= reason
    killGroup(child.pid, isGroup)
  }
  const onAbort = (): void => stop('interrupted')
  const timer = setTimeout(() => stop(`no end within ${timeoutMs / 1000} s`), timeoutMs)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) onAbort()
  // What an agent that goes on in the background leaves behind has no business here.
  if (isGroup) child.once('exit', () => killGroup(child.pid, isGroup))
  const result = await child
  clearTimeout(timer)
  options.signal?.removeEventListener('abort', onAbort)
  options.signal?.throwIfAborted()

  if (result.code === 'ETXTBSY') return 'busy'
  const output = (result.all ?? '').slice(0, OUTPUT_MAX_CHARS)
  if (stopped !== undefined) return { exit: stopped, output, isSuccess: false }
  if (result.exitCode === 0) return { exit: 'exit status 0', output, isSuccess: true }
  const exit =
    result.signal !== undefined
      ? `killed by ${result.signal}`
      : (result.code ?? `exit status ${result.exitCode ?? 'unknown'}`)
  return { exit, output, isSuccess: false }
}

function killGroup(pid: number | undefined, isGroup: boolean): void {
  if (pid === undefined) return
  try {
    process.kill(isGroup ? -pid : pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function passedVariables(): Record<string, string> {
  const entries = PASSED_VARIABLES.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(entries)
}
