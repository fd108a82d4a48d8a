// A stage for end-to-end tests: a folder with a space in its name, the built command line, and real processes in it.
// `close` ends everything that was started and removes everything that was written, however the test went.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '')
/** `npm test` builds it before the tests run. */
export const MAIN = join(REPOSITORY, 'dist', 'cli', 'main.js')
const WAIT_MS = 30_000
/** Of a command that has to come to its end. */
const RUN_MAX_MS = 480_000
const POLL_MS = 50

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Finished {
  /** 128 and more for a process that a signal ended, as shells count. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A process that goes on while the test looks at what it prints. */
export interface Started {
  readonly pid: number
  /** Lines of stdout and stderr, in the order of their arrival. */
  readonly lines: readonly string[]
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** The first line that matches, also one that was printed before. */
  line(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
  /** To the process alone; `group` reaches its children too, as a terminal does. */
  kill(signal: NodeJS.Signals, group?: 'group'): void
}

export interface AgentStatus {
  readonly record?: {
    readonly version: string
    readonly previous?: string
    readonly trial?: { readonly started: number; readonly tries: number }
  }
  readonly installed: readonly string[]
  readonly quarantine: readonly { readonly version: string; readonly reason: string }[]
}

export class Scene {
  readonly root: string
  readonly #groups = new Set<number>()
  readonly #onExit = (): void => this.#end()

  constructor(name: string) {
    assert.ok(existsSync(MAIN), 'dist is absent: run `npm run build` first')
    this.root = mkdtempSync(join(realpathSync(tmpdir()), `moult ${name} `))
    // For a test process that is interrupted: no hook runs then.
    process.once('exit', this.#onExit)
  }

  path(...parts: readonly string[]): string {
    return join(this.root, ...parts)
  }

  folder(...parts: readonly string[]): string {
    mkdirSync(this.path(...parts), { recursive: true })
    return this.path(...parts)
  }

  write(path: string, text: string, mode = 0o644): string {
    mkdirSync(dirname(this.path(path)), { recursive: true })
    writeFileSync(this.path(path), text, { mode })
    return this.path(path)
  }

  /** Runs a command to its end. @throws Error with what it said, when it does not come to one */
  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const child = this.#spawn(command, args, options)
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const code = await new Promise<number>((resolve, reject) => {
      const giveUp = (): void => {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
        reject(new Error(`no end after ${RUN_MAX_MS / 1000} s: ${command} ${args.join(' ')}\n${stdout}${stderr}`))
      }
      const limit = setTimeout(giveUp, RUN_MAX_MS)
      child.once('error', reject)
      child.once('close', (status, signal) => {
        clearTimeout(limit)
        resolve(status ?? 128 + constants.signals[signal ?? 'SIGKILL'])
      })
    })
    if (child.pid !== undefined && !isAlive(-child.pid)) this.#groups.delete(child.pid)
    return { code, stdout, stderr }
  }

  /** Starts a command, which `close` ends at the latest. */
  start(command: string, args: readonly string[], options: RunOptions = {}): Started {
    const child = this.#spawn(command, args, options)
    const lines: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => lines.push(line))
    }
    let hasEnded = false
    const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once('error', (error) => lines.push(error.message))
      child.once('close', (code, signal) => {
        hasEnded = true
        resolve({ code, signal })
      })
    })
    const pid = child.pid ?? 0
    return {
      pid,
      lines,
      ended,
      line: async (pattern, timeoutMs = WAIT_MS) => {
        const find = (): RegExpExecArray | undefined =>
          lines.map((line) => pattern.exec(line)).find((match) => match !== null) ?? undefined
        const said = (): string => `; ${command} said:\n${lines.slice(-60).join('\n')}`
        await until(`a line like ${pattern}`, () => hasEnded || find() !== undefined, timeoutMs, said)
        const match = find()
        assert.ok(match !== undefined, `ended without a line like ${pattern}${said()}`)
        return match
      },
      kill: (signal, group) => {
        // A number that was never given would mean this process's own group.
        if (pid > 0) process.kill(group === 'group' ? -pid : pid, signal)
      },
    }
  }

  /** `moult ...`, to its end. */
  moult(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.run(process.execPath, [MAIN, ...args], options)
  }

  /** `moult ...`, which must succeed. */
  async moultOk(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const result = await this.moult(args, options)
    assert.equal(result.code, 0, `moult ${args.join(' ')}\n${result.stdout}${result.stderr}`)
    return result
  }

  /** `moult serve`; without a port on a free one. */
  async serve(cwd: string, port = 0): Promise<{ readonly url: string; readonly process: Started }> {
    const server = this.start(process.execPath, [MAIN, 'serve', 'updates', '--port', String(port), '--json'], { cwd })
    const [, url = ''] = await server.line(/^\{"url":"([^"]+)"/)
    return { url: url.replace(/\/$/, ''), process: server }
  }

  /** Starts `<home>/launch` again whenever it ends, as systemd or runit does. */
  supervise(home: string, env: Readonly<Record<string, string>> = {}): Started {
    const loop = 'while :; do "$1/launch"; echo "supervisor: ended with status $?"; sleep 0.3; done'
    return this.start('sh', ['-c', loop, 'supervisor', home], { env })
  }

  async status(home: string): Promise<AgentStatus> {
    const { stdout } = await this.moultOk(['agent', 'status', '--home', home, '--json'])
    return JSON.parse(stdout) as AgentStatus
  }

  /** Ends all processes and removes the folder. */
  async close(): Promise<void> {
    process.removeListener('exit', this.#onExit)
    this.#end()
    // A process that was killed may still hold a file open for a moment.
    await sleep(20)
    rmSync(this.root, { recursive: true, force: true })
  }

  #end(): void {
    for (const pid of this.#groups) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // All of the group had ended.
      }
    }
    this.#groups.clear()
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  }

  /** Each command leads a group of its own, so that its children end with it. */
  #spawn(command: string, args: readonly string[], { cwd = this.root, env = {} }: RunOptions): ChildProcess {
    const stdio = ['ignore', 'pipe', 'pipe'] as const
    const child = spawn(command, args, {
      cwd,
      env: { ...plainEnvironment(), ...env },
      detached: true,
      stdio: [...stdio],
    })
    if (child.pid !== undefined) this.#groups.add(child.pid)
    return child
  }
}

/** @param pid a process, or with a minus sign a group of them */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** What a user's shell has: nothing of the test runner, of npm's scripts or of another agent. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const foreign =
    /^(?:NODE_TEST_CONTEXT|NODE_OPTIONS|MOULT_|UPDATE_|npm_(?:package|lifecycle)_|npm_config_local_prefix$)/
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
  // Where tests run in a container, their homes lie on no volume of it.
  return { ...own, DEPLOYMENT_MODE: 'vm' }
}

/** Waits until the condition holds. @throws Error that names what was waited for */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = WAIT_MS,
  said: () => string = () => '',
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}${said()}`)
    await sleep(POLL_MS)
  }
}

/** A port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

/** The object of a command that was called with `--json`. */
export function jsonOf<T = Record<string, unknown>>({ stdout, stderr }: Finished): T {
  try {
    return JSON.parse(stdout) as T
  } catch {
    throw new Error(`not one JSON object: ${stdout}\n${stderr}`)
  }
}

export function readJson<T = Record<string, unknown>>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T
}

/** Processes of Linux that have this text in their environment, and so come from where it was set. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text)
      } catch {
        return false // It has ended, or belongs to another user.
      }
    })
    .map(Number)
}
