// The machines of the demo: a project folder, an update server, and an agent under a supervisor, all in one temporary
// directory that goes at the end.

import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { execa } from 'execa'

const REMOVAL_TRIES = 50
const REMOVAL_PAUSE_MS = 50

export const repository = dirname(dirname(fileURLToPath(import.meta.url)))
const main = join(repository, 'dist', 'cli', 'main.js')
const WAIT_MS = 45_000

/** The agent's supervisor, in one line: systemd, runit or Kubernetes do the same on a real machine. */
const SUPERVISOR = `while :; do "$1/launch"; echo "supervisor: the agent ended with status $?, starting it again"; sleep 0.3; done`

interface Status {
  readonly record?: { readonly version: string; readonly trial?: unknown }
  readonly quarantine: readonly { readonly version: string }[]
}

export interface Heartbeat {
  readonly number: number
  /** RFC 3339 date. */
  readonly at: string
}

export class DemoStage {
  readonly #workspace = mkdtempSync(join(tmpdir(), 'moult demo '))
  readonly #children: ChildProcess[] = []
  #agent: ChildProcess | undefined
  #healthPort = 0
  readonly project = join(this.#workspace, 'project')
  readonly home = join(this.#workspace, 'agent home')
  /** Numbers of the heartbeats that the agent announced, in the order in which it did. */
  readonly announced: number[] = []
  readonly say: (line: string) => void

  constructor(say: (line: string) => void) {
    this.say = say
  }

  /** A project of a user: the example agent, and Moult as its dependency. */
  layOutProject(): void {
    mkdirSync(join(this.project, 'node_modules'), { recursive: true })
    symlinkSync(repository, join(this.project, 'node_modules', 'moult'), 'dir')
    for (const name of ['agent.ts', 'outbox.ts']) {
      cpSync(join(repository, 'examples', 'heartbeat-agent', name), join(this.project, name))
    }
  }

  /** Runs a command of Moult in the project, and shows it with its output. */
  async moult(...args: string[]): Promise<void> {
    this.say(`$ moult ${args.map((arg) => (/\s/.test(arg) ? `'${arg}'` : arg)).join(' ')}`)
    const { all } = await execa(process.execPath, [main, ...args], { cwd: this.project, all: true })
    for (const line of all.split('\n')) if (line !== '') this.say(`  ${line}`)
  }

  /** @returns the URL of the local update server */
  async serve(): Promise<string> {
    this.say('$ moult serve updates --port 0')
    const server = spawn(process.execPath, [main, 'serve', 'updates', '--port', '0', '--json'], {
      cwd: this.project,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#children.push(server)
    for await (const line of createInterface({ input: server.stdout })) {
      const { url } = JSON.parse(line) as { url: string }
      server.stdout.resume()
      this.say(`  serving on ${url}`)
      return url
    }
    throw new Error('the update server did not start')
  }

  /** Starts the installed agent under its supervisor, and shows what both say. */
  async startAgent(): Promise<void> {
    this.#healthPort = await freePort()
    this.say('$ while :; do <home>/launch; done')
    const heartbeat = { HEARTBEAT_PORT: String(this.#healthPort), HEARTBEAT_INTERVAL_MS: '250' }
    // The demo may run in a container, where its home lies on no volume: nothing of it has to last.
    const env = { ...process.env, ...heartbeat, DEPLOYMENT_MODE: 'vm' }
    // It leads a process group of its own, so that the agent goes when it goes.
    const agent = spawn('sh', ['-c', SUPERVISOR, 'supervisor', this.home], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#agent = agent
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const beat = /^heartbeat (\d+)$/.exec(line)
      if (beat === null) this.say(`  | ${line}`)
      else this.announced.push(Number(beat[1]))
    })
    createInterface({ input: agent.stderr }).on('line', (line) => {
      if (/^(?:Error|moult-launch):/.test(line)) this.say(`  | ${line}`)
    })
  }

  /** Waits until `version` answers on the agent's own health endpoint and is confirmed. */
  async untilRunning(version: string): Promise<string> {
    await until(`version ${version} to run and be confirmed`, async () => {
      const answer = await fetch(`http://127.0.0.1:${this.#healthPort}/healthz`).catch(() => undefined)
      const health = (await answer?.json().catch(() => undefined)) as { version?: string } | undefined
      const { record } = await this.#status()
      return health?.version === version && record?.version === version && record.trial === undefined
    })
    return version
  }

  /** Waits until the agent has given `version` up. @returns all versions that it has given up */
  async untilQuarantined(version: string): Promise<string[]> {
    let quarantined: string[] = []
    await until(`version ${version} to be rolled back`, async () => {
      quarantined = (await this.#status()).quarantine.map((entry) => entry.version)
      return quarantined.includes(version)
    })
    return quarantined
  }

  async stopAgent(): Promise<void> {
    const agent = this.#agent
    if (agent?.pid === undefined) return
    const silent = new Promise((resolve) => agent.stdout?.once('close', resolve))
    process.kill(-agent.pid, 'SIGTERM')
    // Not until the supervisor ends, but until the last process that holds its output has.
    await silent
  }

  readOutbox(): Heartbeat[] {
    const lines = readFileSync(join(this.home, 'outbox.jsonl'), 'utf8').trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line) as Heartbeat)
  }

  /** Ends every process and removes every file; safe at any time, and twice. */
  cleanUp(): void {
    const groups = this.#agent?.pid === undefined ? [] : [-this.#agent.pid]
    for (const pid of [...groups, ...this.#children.flatMap((child) => child.pid ?? [])]) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It had ended already.
      }
    }
    removeTree(this.#workspace)
  }

  async #status(): Promise<Status> {
    const { stdout } = await execa(process.execPath, [main, 'agent', 'status', '--home', this.home, '--json'])
    return JSON.parse(stdout) as Status
  }
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${WAIT_MS / 1000} s in vain for ${what}`)
    await sleep(300)
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** What was killed may still be in the middle of a write, and `rmSync` lists each folder once only. */
function removeTree(path: string): void {
  for (let tries = 1; ; tries += 1) {
    try {
      return rmSync(path, { recursive: true, force: true })
    } catch (error) {
      if (tries === REMOVAL_TRIES) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, REMOVAL_PAUSE_MS)
    }
  }
}
