// A project and machines of its own for a page of docs/rollouts: the commands of the page run as they stand there, by the real
// command line, on both sides. What is replaced is the place: the home, the host, and what `moult` is. The hours of the
// page pass by a clock that all processes of the scene read, so that no test waits for them.

import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { BUCKETS, rolloutBucket } from '../../manifests/index.ts'
import { type Finished, jsonOf, MAIN, readJson, REPOSITORY, Scene, type Started, until } from '../helpers/moult.ts'
import { makeSceneClock, type SceneClock } from './scene-clock.ts'

const WAIT_MS = 60_000
/** Processes at a time: more only take turns on a small machine. */
const TURNS = 3

export const INSTALL = 'moult agent install --home /opt/sensor --server https://updates.example.com --root 1.root.json'

const AGENTS = { files: 'agent-{version}', script: 'agent.ts' }

export interface Machine {
  readonly name: string
  readonly home: string
}

interface Block {
  /** `project`, `machine`, or another name for some of the machines. */
  readonly where: string
  readonly commands: string
}

export interface RolloutNow {
  readonly sequence: number
  readonly release: string
  readonly stages: readonly { readonly at: string; readonly percent: number }[]
}

export class Fleet {
  readonly scene: Scene
  readonly machines: Machine[] = []
  readonly #blocks: Block[]
  readonly #project: string
  readonly #clock: SceneClock
  #agent = ''
  #url = ''

  /** @param page a file of docs/rollouts, whose blocks are played in their order */
  constructor(page: string) {
    const text = readFileSync(join(REPOSITORY, 'docs/rollouts', page), 'utf8')
    const fences = [...text.matchAll(/^```(\S+)(?: (\S+))?\n([^]*?)^```$/gm)]
    this.#blocks = fences.map(([, , where, commands = '']) => {
      assert.ok(where !== undefined, `${page}: a fence that does not say where it belongs`)
      return { where, commands }
    })
    this.scene = new Scene(page.replace('.md', ''))
    this.#project = this.scene.folder('project')
    this.#clock = makeSceneClock(this.scene)
    this.scene.write('bin/moult', `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, 0o755)
  }

  /** A project with 1.0.0, and a host for it. @param type how the agents are built */
  async open(first: string, type: 'files' | 'script' = 'files'): Promise<void> {
    await this.project(`moult init --name sensor --type ${type} --agent ${AGENTS[type]}`)
    // As `npm install` does.
    symlinkSync(REPOSITORY, join(this.scene.folder('project', 'node_modules'), 'moult'), 'dir')
    this.#agent = AGENTS[type]
    this.bring('1.0.0', first)
    await this.project('moult release 1.0.0')
    this.#url = (await this.scene.serve(this.#project)).url
  }

  /** What the next release of this version is made of. */
  bring(version: string, program: string): void {
    this.scene.write(join('project', this.#agent.replace('{version}', version)), program, 0o755)
  }

  /** Lets time go by for all processes, also for those that run. */
  pass(hours: number): void {
    this.#clock.pass(hours)
  }

  /** The next block of the page; where that belongs is part of what the test says. */
  block(where: string): string {
    const block = this.#blocks.shift()
    assert.equal(block?.where, where, block?.commands)
    return block?.commands ?? ''
  }

  /** After the last one. */
  assertPlayed(): void {
    assert.deepEqual(this.#blocks, [])
  }

  /** Runs commands where releases are made; all of them succeed. */
  async project(commands: string): Promise<string> {
    const { code, stdout, stderr } = await this.#shell(commands, this.#project, {})
    assert.equal(code, 0, `${commands}\n${stdout}${stderr}`)
    return stdout
  }

  async next(where: 'project'): Promise<string> {
    return this.project(this.block(where))
  }

  /** Runs commands on a machine. */
  at({ home }: Machine, commands: string): Promise<Finished> {
    const here = commands
      .replaceAll('/opt/sensor', '"$SENSOR_HOME"')
      .replaceAll('https://updates.example.com', this.#url)
    return this.#shell(here, this.scene.path('machine'), { SENSOR_HOME: home })
  }

  /** Runs commands on a machine, all of which succeed. */
  async atOk(machine: Machine, commands: string): Promise<string> {
    const { code, stdout, stderr } = await this.at(machine, commands)
    assert.equal(code, 0, `${machine.name}: ${commands}\n${stdout}${stderr}`)
    return stdout
  }

  /** A machine with nothing on it but settings of its owner. */
  make(name: string, settings: Readonly<Record<string, unknown>> = {}): Machine {
    const home = this.scene.path('homes', name)
    mkdirSync(home, { recursive: true, mode: 0o700 })
    mkdirSync(this.scene.path('machine'), { recursive: true })
    copyFileSync(join(this.#project, 'trust/1.root.json'), this.scene.path('machine/1.root.json'))
    const machine = { name, home }
    this.settle(machine, settings)
    return machine
  }

  /** Machines on which the live version is installed by a command of the page, or the plainest one. */
  async install(names: readonly string[], { command = INSTALL, settings = {} } = {}): Promise<Machine[]> {
    const fresh = names.map((name) => this.make(name, settings))
    await inTurns(fresh, (machine) => this.atOk(machine, command))
    this.machines.push(...fresh)
    return fresh
  }

  settle({ home }: Machine, settings: Readonly<Record<string, unknown>>): void {
    const path = join(home, 'agent.json')
    const before = existsSync(path) ? readJson(path) : { server: 'http://127.0.0.1:1' }
    writeFileSync(path, JSON.stringify({ ...before, ...settings }))
  }

  /** The rollout that is live. */
  rollout(): RolloutNow {
    return readJson<{ rollout: RolloutNow }>(join(this.#project, 'updates/version.json')).rollout
  }

  /**
   * One poll and one start of the program on each machine that has no process, as timers do it.
   * @returns what each program has told of itself, by the name of its machine
   */
  async round(machines: readonly Machine[] = this.machines): Promise<Record<string, string>> {
    const told = await inTurns(machines, async (machine) => {
      const check = await this.at(machine, 'moult agent check --apply --home /opt/sensor')
      assert.ok(check.code === 0 || check.code === 100, `${machine.name}\n${check.stdout}${check.stderr}`)
      const said = await this.atOk(machine, '/opt/sensor/launch')
      // Probation is the time of a clock that no test can set.
      if (check.code === 100) await this.atOk(machine, 'moult agent confirm --home /opt/sensor')
      return [machine.name, /^sensor (.+)$/m.exec(said)?.[1] ?? said] as const
    })
    return Object.fromEntries(told)
  }

  /** How the last check of a machine has ended. */
  async status(machine: Machine): Promise<{ sequence?: number; outcome?: string; reason?: string }> {
    const status = jsonOf<{ lastCheck?: object }>(
      await this.at(machine, 'moult agent status --json --home /opt/sensor'),
    )
    return status.lastCheck ?? {}
  }

  /** Keeps the program of a machine running until the scene ends: it updates itself, or Moult does that beside it. */
  supervise({ home }: Machine, by: 'launcher' | 'moult'): Started {
    const env = { ...this.#clock.env, UPDATE_INTERVAL: '1s' }
    if (by === 'launcher') return this.scene.supervise(home, env)
    return this.scene.start(process.execPath, [MAIN, 'agent', 'run', '--home', home], { env })
  }

  /** Waits until machines that run have polled what is live, each from the beginning to the end of a poll. */
  async polled(machines: readonly Machine[]): Promise<void> {
    const { sequence } = this.rollout()
    // One may be under way.
    const due = machines.map((machine) => [machine, pollsOf(machine) + 2] as const)
    for (const [machine, polls] of due) {
      await until(`${machine.name} to poll`, () => pollsOf(machine) >= polls, WAIT_MS)
      assert.equal((await this.status(machine)).sequence, sequence)
    }
  }

  close(): Promise<void> {
    return this.scene.close()
  }

  #shell(commands: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Finished> {
    const PATH = `${this.scene.path('bin')}:${process.env['PATH']}`
    return this.scene.run('sh', ['-ec', commands], { cwd, env: { ...this.#clock.env, ...env, PATH } })
  }
}

function pollsOf({ home }: Machine): number {
  const path = join(home, 'metrics.prom')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const counts = [...text.matchAll(/^moult_checks_total\{.*\} (\d+)$/gm)].map(([, count]) => Number(count))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** What `moult verify --history` tells, the newest first, without dates and keys. */
export function storyOf(history: string): string[] {
  return history.split('\n').flatMap((line) => /^\d+ +\S+ +(.*?) {2,}/.exec(line)?.[1] ?? [])
}

/** Ids of which the first has a bucket in the first n-th of all, the second in the second, and so on. */
export function idsAcross(salt: string, count: number): string[] {
  const ids = new Map<number, string>()
  for (let number = 1; ids.size < count; number += 1) {
    const place = Math.floor((rolloutBucket(salt, `web-${number}`) / BUCKETS) * count)
    if (!ids.has(place)) ids.set(place, `web-${number}`)
  }
  return Array.from({ length: count }, (_, place) => ids.get(place) ?? '')
}

/** Some at a time; the results in order. */
export async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const queue = [...items.entries()]
  const take = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1])
  }
  await Promise.all(Array.from({ length: TURNS }, take))
  return results
}
