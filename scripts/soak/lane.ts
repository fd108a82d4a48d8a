// One home of the soak, under a supervisor of its own, with a host of its own.

import assert from 'node:assert/strict'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { type Home, homeAt, installAgent, readLaunchRecord } from '../../agent/index.ts'
import { type RunningServer, startServer } from '../../local-server/index.ts'
import { randomFrom } from '../../test/fuzz/random.ts'
import { makeRoot } from '../../test/fixtures/signed-manifest.ts'
import { Invariants, readState } from './invariants.ts'
import { BAD_KINDS, Offers, type SoakMode } from './offers.ts'
import { RunitService } from './runit-service.ts'

const TRIES = 3
const SETTINGS = {
  interval: '1s',
  probation: '300ms',
  probationDeadline: '3s',
  tries: TRIES,
  keepVersions: 2,
  keepDays: 0,
}
const BURSTS_MAX = 3
const KILLS_A_BURST = 3
const KILL_WITHIN_MS = 300
/** How long the machine is left alone after a burst; most updates and rollbacks end within it. */
const CALM_MS = 3000
/** Left alone for good: what takes longer is stuck. */
const STUCK_MS = 90_000
const LOOK_MS = 20
const STOP_MS = 20_000

export interface LaneOptions {
  readonly directory: string
  readonly mode: SoakMode
  readonly template: string
  /** Path of the bundled command line, for `supervised`. */
  readonly moult: string
}

export interface LaneFigures {
  rounds: number
  kills: number
  updates: number
  /** Sound versions that were given up, as the kills used up their tries. */
  givenUp: number
  rolledBack: number
}

export class Lane {
  readonly figures: LaneFigures = { rounds: 0, kills: 0, updates: 0, givenUp: 0, rolledBack: 0 }
  readonly invariants: Invariants
  readonly #mode: SoakMode
  readonly #home: Home
  readonly #offers: Offers
  readonly #service: RunitService
  readonly #server: RunningServer
  readonly #log: number
  readonly #directory: string

  static async open(options: LaneOptions): Promise<Lane> {
    const { directory, mode, moult } = options
    mkdirSync(directory)
    const offers = new Offers(join(directory, 'host'), options.template)
    offers.publish()
    const server = await startServer({ dir: join(directory, 'host'), port: 0 })
    const root = join(directory, 'root.json')
    writeFileSync(root, JSON.stringify(makeRoot()))
    const home = homeAt(join(directory, 'home'))
    const health = mode === 'supervised' ? { health: { command: ['grep', '-q', 'good', join(directory, 'kind')] } } : {}
    await installAgent(
      { home: home.path, root, settings: { server: server.url, ...SETTINGS, ...health, stopTimeout: '2s' }, env: {} },
      { clock: Date.now, emit: () => undefined },
    )
    const command = mode === 'embedded' ? `'${home.launch}'` : `node '${moult}' agent run --home '${home.path}'`
    const service = new RunitService(
      join(directory, 'service'),
      `exec env SOAK_LANE='${directory}' ${command}`,
      // One line, written at once: the next start waits for it, so the record is the one that the end left behind.
      `printf '%s %s  %s\\n' "$1" "$2" "$(tr '\\n' ' ' <'${home.current}')" >>'${directory}/ended'`,
    )
    return new Lane(options, home, offers, service, server)
  }

  private constructor(options: LaneOptions, home: Home, offers: Offers, service: RunitService, server: RunningServer) {
    this.#mode = options.mode
    this.#directory = options.directory
    this.#home = home
    this.#offers = offers
    this.#service = service
    this.#server = server
    this.#log = openSync(join(options.directory, 'log'), 'a')
    this.invariants = new Invariants(options.directory, home, offers, TRIES)
    service.start(this.#log)
  }

  /** v -> v + 1 -> a bad v + 2 -> back -> v + 3, with kills all the way. @throws AssertionError */
  async round(seed: number): Promise<void> {
    const random = randomFrom(seed)
    const kinds = BAD_KINDS[this.#mode]
    await this.#sound(random)
    const bad = this.#offers.publish(kinds[Math.floor(random() * kinds.length)])
    await this.#drive(random, `${bad} is rolled back`, () => this.#isGivenUp(bad))
    this.figures.rolledBack += 1
    await this.#sound(random)
    // What a rollback leaves is removed after it is on record.
    if (!(await this.#waitUntil(() => this.invariants.rests().length === 0, STUCK_MS)))
      assert.fail(`I4: never put in order: ${this.invariants.rests().join(' ')}`)
    this.figures.rounds += 1
  }

  /** What the processes said last, for the report of a failure. */
  tail(): string {
    const lines = readFileSync(join(this.#directory, 'log'), 'utf8').split('\n')
    const ended = readFileSync(join(this.#directory, 'ended'), 'utf8').split('\n')
    return [...lines.slice(-30), 'ends:', ...ended.slice(-10)].join('\n')
  }

  async close(): Promise<void> {
    const isStopped = await this.#service.stop(STOP_MS)
    this.#service.end()
    await this.#server.close(0)
    closeSync(this.#log)
    assert.ok(isStopped, 'the service did not end at SIGTERM')
  }

  /** Ends all, however things stand. */
  async abandon(): Promise<void> {
    this.#service.end()
    await this.#server.close(0)
  }

  async #sound(random: () => number): Promise<void> {
    const good = this.#offers.publish()
    await this.#drive(random, `${good} is confirmed`, () => this.#isConfirmed(good) || this.#isGivenUp(good))
    if (this.#isConfirmed(good)) this.figures.updates += 1
    else this.figures.givenUp += 1
  }

  #isConfirmed(version: string): boolean {
    const record = readLaunchRecord(this.#home.current)
    return record?.version === version && record.trial === undefined
  }

  #isGivenUp(version: string): boolean {
    const record = readLaunchRecord(this.#home.current)
    if (record === undefined || record.failed !== undefined || record.version === version) return false
    return readState(this.#home)?.quarantine.some((entry) => entry.version === version) === true
  }

  /** Kills at random, each time within moments of a start, until the machine has come to where it should be. */
  async #drive(random: () => number, goal: string, isThere: () => boolean): Promise<void> {
    const bursts = Math.floor(random() * (BURSTS_MAX + 1))
    for (let burst = 0; burst < bursts && !isThere(); burst += 1) {
      const kills = 1 + Math.floor(random() * KILLS_A_BURST)
      for (let kill = 0; kill < kills; kill += 1) await this.#killOnce(random)
      await this.#waitUntil(isThere, CALM_MS)
    }
    if (await this.#waitUntil(isThere, STUCK_MS)) return
    assert.fail(`I4: waited in vain until ${goal}: ${readFileSync(this.#home.current, 'utf8')}`)
  }

  async #killOnce(random: () => number): Promise<void> {
    const [afterMs, which] = [random() * KILL_WITHIN_MS, random()]
    await this.#waitUntil(() => this.#service.pid !== undefined, STUCK_MS)
    await sleep(afterMs)
    let isPart = false
    const { killed, program } = this.#service.kill((pids) => {
      // All at once, as systemd and a container's end do; or one that the others have to do without. A supervisor that
      // is killed alone would leave its program running, which only those can prevent.
      if (which < 0.5) return pids
      const victims = this.#mode === 'supervised' && pids.length > 1 ? pids.slice(1) : pids
      const chosen = victims.slice(Math.floor((which - 0.5) * 2 * victims.length)).slice(0, 1)
      isPart = chosen[0] !== pids[0]
      return chosen
    })
    if (killed.length > 0) this.figures.kills += 1
    if (isPart && program !== 'node') this.invariants.excuseLauncher()
    this.invariants.check()
  }

  async #waitUntil(isThere: () => boolean, limitMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + limitMs
    while (!isThere()) {
      if (performance.now() > deadlineMs) return false
      await sleep(LOOK_MS)
    }
    this.invariants.check()
    return true
  }
}
