// The heartbeat agent updates many times, is killed at random moments, and reports to a server that loses
// acknowledgements: of its heartbeats none may be lost, and by their keys none may be doubled.
//
//   npm run build && npx tsx scripts/soak-outbox.ts [--updates 1000] [--agents 4] [--seed n] [--json]
//
// What is checked at the end, for each agent: every number from 1 to the last has arrived, each with one content only,
// those that the agent announced among them, and in their order.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { homeAt, installAgent, installedRecord } from '../agent/index.ts'
import { readPinnedRoot } from '../agent/settings/settings.ts'
import { loadState } from '../agent/home/state.ts'
import { bundleScript } from '../release/build/bundle-script.ts'
import { randomFrom } from '../test/fuzz/random.ts'
import { Collector } from '../test/fixtures/collector.ts'
import { makeRoot } from '../test/fixtures/signed-manifest.ts'
import { SoakHost } from './soak-host.ts'

const PLACEHOLDER = '0.0.0-soak.placeholder'
const BEAT_MS = 40
/** Half of the lives end by a kill within this time, at any point of a start, a trial or an update. */
const KILL_WITHIN_MS = 2500
/** So that kills on trial do not use them up: a version that was given up brings no update. */
const TRIES = 20
const LIFE_MAX_MS = 30_000
const LIVES_WITHOUT_UPDATE_MAX = 40

const { values } = parseArgs({
  options: {
    updates: { type: 'string', default: '1000' },
    agents: { type: 'string', default: '4' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    json: { type: 'boolean', default: false },
  },
})
const [UPDATES, AGENTS, SEED] = [Number(values.updates), Number(values.agents), Number(values.seed)]
assert.ok(UPDATES >= 1 && AGENTS >= 1 && SEED >= 0, 'expected numbers')
const say = (line: string): void => (values.json ? console.error(line) : console.log(line))

interface Life {
  readonly child: ChildProcess
  /** Resolves with what the process ended by. */
  readonly ended: Promise<string>
}

/** One agent with a home and an update server of its own. */
class SoakedAgent {
  readonly #home = homeAt(join(scratch, `home ${lanes.length + 1}`))
  readonly #host: SoakHost
  readonly #random: () => number
  #life: Life | undefined
  updates = 0
  kills = 0
  /** The highest number that the agent has announced. */
  announced = 0

  constructor(bundle: string, seed: number) {
    this.#host = new SoakHost((version) => Buffer.from(bundle.replaceAll(PLACEHOLDER, version)))
    this.#random = randomFrom(seed)
  }

  async install(): Promise<void> {
    const server = await this.#host.listen()
    this.#host.publishNext()
    const settings = { server, interval: '1s', probation: '100ms', keepDays: 0, tries: TRIES }
    const root = join(scratch, 'root.json')
    const deps = { clock: Date.now, emit: () => undefined }
    await installAgent({ home: this.#home.path, root, settings, env: {} }, deps)
    this.#host.publishNext()
  }

  /** Lives, half of which are ended by a kill, until the agent has updated so often. */
  async soak(updates: number): Promise<void> {
    for (let barren = 0; this.updates < updates; barren += 1) {
      const state = `${JSON.stringify(installedRecord(this.#home))} of ${this.#host.version}`
      assert.ok(barren < LIVES_WITHOUT_UPDATE_MAX, `no update in ${barren} lives: ${state}`)
      const before = this.updates
      const { child, ended } = this.#start()
      const isKilled = this.#random() < 0.5
      const limitMs = isKilled ? this.#random() * KILL_WITHIN_MS : LIFE_MAX_MS
      const end = await Promise.race([ended, sleep(limitMs, undefined, { ref: false })])
      if (end === undefined) {
        child.kill('SIGKILL')
        await ended
        this.kills += 1
      }
      this.#offerNext()
      if (this.updates > before) barren = 0
    }
  }

  /** A last life in peace, in which all that waits goes out. @returns the id of its outbox and its last number */
  async settle(): Promise<{ id: string; last: number }> {
    const { child, ended } = this.#start()
    const target = this.announced + 1
    await Promise.race([ended, this.#announces(target)])
    child.kill('SIGTERM')
    assert.equal(await ended, 'status 0')
    const outbox = join(this.#home.path, 'outbox.jsonl')
    // Half of the requests of an unlucky end may have failed: what still waits goes out with a few more heartbeats.
    if (readFileSync(outbox, 'utf8') !== '') return this.settle()
    const { id, sent } = JSON.parse(readFileSync(`${outbox}.sent`, 'utf8')) as { id: string; sent: number }
    return { id, last: sent }
  }

  end(): void {
    this.#life?.child.kill('SIGKILL')
    this.#host.close()
  }

  #start(): Life {
    const env = {
      PATH: process.env['PATH'],
      HEARTBEAT_SERVER: server,
      HEARTBEAT_PORT: '0',
      HEARTBEAT_INTERVAL_MS: `${BEAT_MS}`,
    }
    const child = spawn(this.#home.launch, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: child.stdout }).on('line', (line) => this.#read(line))
    const ended = new Promise<string>((resolve) =>
      child.once('close', (code, signal) => resolve(signal ?? `status ${code}`)),
    ).then((end) => {
      assert.ok(['SIGKILL', 'status 100', 'status 0'].includes(end), `the agent ended by itself with ${end}`)
      return end
    })
    this.#life = { child, ended }
    return this.#life
  }

  #read(line: string): void {
    const [, beat] = /^heartbeat (\d+)$/.exec(line) ?? []
    if (beat !== undefined) this.announced = Math.max(this.announced, Number(beat))
    if (line.startsWith('Confirmed: ') || line.startsWith('Rolled back: ')) this.#offerNext()
  }

  /** By what the home says: a process that was killed after the fact has not told it. */
  #offerNext(): void {
    const { version } = this.#host
    const record = installedRecord(this.#home)
    const isConfirmed = record?.version === version && record.trial === undefined
    const state = loadState(this.#home, readPinnedRoot(this.#home.root), () => undefined)
    if (!isConfirmed && !state.quarantine.some((entry) => entry.version === version)) return
    if (isConfirmed) this.updates += 1
    this.#host.publishNext()
  }

  async #announces(number: number): Promise<void> {
    while (this.announced < number) await sleep(BEAT_MS)
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'moult soak '))
const collector = new Collector(randomFrom(SEED))
const lanes: SoakedAgent[] = []
let server = ''
try {
  process.exitCode = await main()
} finally {
  for (const lane of lanes) lane.end()
  collector.close()
  rmSync(scratch, { recursive: true, force: true })
}

async function main(): Promise<number> {
  say(`seed ${SEED}`)
  const startedMs = performance.now()
  server = await collector.listen()
  writeFileSync(join(scratch, 'root.json'), JSON.stringify(makeRoot()))
  const entry = fileURLToPath(new URL('../examples/heartbeat-agent/agent.ts', import.meta.url))
  const bundle = await bundleScript({ entry, version: PLACEHOLDER, platform: 'linux-amd64', minify: true })
  for (let lane = 0; lane < AGENTS; lane += 1) lanes.push(new SoakedAgent(bundle, SEED + 1 + lane))
  await Promise.all(lanes.map((lane) => lane.install()))
  const progress = setInterval(() => say(`${sum('updates')} updates, ${sum('kills')} kills`), 60_000)
  await Promise.all(lanes.map((lane) => lane.soak(Math.ceil(UPDATES / AGENTS)))).finally(() => clearInterval(progress))

  const faults: string[] = [...collector.faults]
  let heartbeats = 0
  for (const lane of lanes) {
    const { id, last } = await lane.settle()
    heartbeats += last
    const numbers = collector.numbersOf(id)
    if (last < lane.announced) faults.push(`announced up to ${lane.announced}, sent up to ${last}`)
    const wrong = numbers.findIndex((number, index) => number !== index + 1)
    if (wrong >= 0) faults.push(`after ${wrong} came ${numbers[wrong]}`)
    if (numbers.length !== last) faults.push(`${last} heartbeats, of which ${numbers.length} arrived`)
  }
  const result = {
    seed: SEED,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    updates: sum('updates'),
    kills: sum('kills'),
    heartbeats,
    arrived: collector.size,
    againOnTheWire: collector.repeats,
    lostAcknowledgements: collector.unanswered,
    faults,
  }
  say(
    `${result.updates} updates and ${result.kills} kills in ${result.seconds} s: ${heartbeats} heartbeats, ` +
      `${result.arrived} arrived, ${result.againOnTheWire} of them more than once on the wire; ` +
      (faults.length === 0 ? 'none lost, none doubled, all in order' : `FAULTS: ${faults.slice(0, 10).join('; ')}`),
  )
  if (values.json) console.log(JSON.stringify(result))
  return faults.length === 0 ? 0 : 1
}

function sum(figure: 'updates' | 'kills'): number {
  return lanes.reduce((total, lane) => total + lane[figure], 0)
}
