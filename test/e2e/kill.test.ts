// The agent is killed at random moments of its updates, launcher included. After each kill an old or new version must be
// there, whole, and the next start must go on.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { homeAt, type Home, installAgent, installedRecord, readLaunchRecord } from '../../agent/index.ts'
import { programOf } from '../../agent/home/receipt.ts'
import { loadState } from '../../agent/home/state.ts'
import { readPinnedRoot } from '../../agent/settings/settings.ts'
import { formatDate, platformOf, sha256 } from '../../manifests/index.ts'
import { bundleScript } from '../../release/build/bundle-script.ts'
import { randomFrom } from '../fuzz/random.ts'
import { makeManifest, makeRoot } from '../fixtures/signed-manifest.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 60)
const SEED = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const PLACEHOLDER = '0.0.0-kill.placeholder'
/** Kills follow these events by up to some milliseconds, or a start by up to the time of a whole update. */
const EVENTS = ['running', 'checked', 'update-found', 'staged', 'swapped', 'trial', 'confirmed'] as const
const AFTER_EVENT_MAX_MS = 60
const AFTER_START_MAX_MS = 900

/** A host that offers one version at a time. */
class Host {
  readonly #bundle: string
  readonly #server: Server
  readonly artifacts = new Map<string, Buffer>()
  #manifest = Buffer.alloc(0)
  #patch = -1

  constructor(bundle: string) {
    this.#bundle = bundle
    this.#server = createServer((request, response) => {
      const artifact = this.artifacts.get((request.url ?? '').slice(1))
      const body = request.url === '/version.json' ? this.#manifest : artifact
      response.writeHead(body === undefined ? 404 : 200).end(body)
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get version(): string {
    return `1.0.${this.#patch}`
  }

  publishNext(): void {
    this.#patch += 1
    const artifact = Buffer.from(this.#bundle.replaceAll(PLACEHOLDER, this.version))
    this.artifacts.set(this.version, artifact)
    const binary = { url: this.version, sha256: sha256(artifact), size: artifact.length }
    this.#manifest = Buffer.from(
      makeManifest({
        release: { version: this.version, binaries: { [platformOf(process.platform, process.arch)]: binary } },
        rollout: {
          sequence: this.#patch + 1,
          issued: formatDate(Date.now()),
          expires: formatDate(Date.now() + 86_400_000),
        },
      }).bytes,
    )
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

function startAgent(home: Home): { agent: ChildProcess; said: (event: string) => Promise<void>; events: string[] } {
  const agent = spawn(home.launch, { stdio: ['ignore', 'pipe', 'inherit'] })
  const events: string[] = []
  const lines = createInterface({ input: agent.stdout })
  lines.on('line', (line) => events.push(line))
  const said = async (event: string): Promise<void> => {
    while (!events.includes(event) && agent.exitCode === null && agent.signalCode === null) await sleep(2)
  }
  return { agent, said, events }
}

async function killAtRandom(home: Home, random: () => number): Promise<string> {
  const { agent, said, events } = startAgent(home)
  const ended = once(agent, 'exit')
  if (random() < 0.5) {
    await Promise.race([sleep(random() * AFTER_START_MAX_MS), ended])
  } else {
    const event = EVENTS[Math.floor(random() * EVENTS.length)] as string
    await Promise.race([said(event), sleep(AFTER_START_MAX_MS), ended])
    await Promise.race([sleep(random() * AFTER_EVENT_MAX_MS), ended])
  }
  agent.kill('SIGKILL')
  const [code, signal] = (await ended) as [number | null, string | null]
  assert.ok(signal === 'SIGKILL' || code === 100, `the agent ended by itself with ${code ?? signal}`)
  return events.at(-1) ?? 'launching'
}

/** What must hold after any kill: the version that would run next is one that was published, byte for byte. */
function assertRunnable(home: Home, host: Host): string {
  const record = readLaunchRecord(home.current)
  assert.ok(record, 'the launch record is whole')
  for (const version of [record.version, record.previous]) {
    if (version === undefined) continue
    const program = programOf(home, version)
    assert.ok(program, `${version} can be run`)
    const hash = (bytes: Buffer | undefined) => sha256(bytes ?? Buffer.alloc(0))
    assert.equal(hash(readFileSync(program)), hash(host.artifacts.get(version)), `${version} has the published bytes`)
  }
  return record.version
}

test(`an agent killed at ${ROUNDS} random moments always has a version to run (seed ${SEED})`, async (t) => {
  t.diagnostic(`KILL_SEED=${SEED}`)
  const random = randomFrom(SEED)
  const directory = mkdtempSync(join(tmpdir(), 'moult kill '))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const entry = fileURLToPath(new URL('../fixtures/kill-agent.ts', import.meta.url))
  const host = new Host(await bundleScript({ entry, version: PLACEHOLDER, platform: 'linux-amd64', minify: true }))
  t.after(() => host.close())
  const server = await host.listen()
  host.publishNext()

  const rootFile = join(directory, 'root.json')
  writeFileSync(rootFile, JSON.stringify(makeRoot()))
  const home = homeAt(join(directory, 'home'))
  await installAgent(
    { home: home.path, root: rootFile, settings: { server, interval: '1s', probation: '100ms' }, env: {} },
    { clock: Date.now, emit: () => undefined },
  )

  const phases = new Map<string, number>()
  let updates = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const record = installedRecord(home)
    if (record?.trial === undefined && (record?.version === host.version || isGivenUp(home, rootFile, host.version))) {
      if (record?.version === host.version) updates += 1
      host.publishNext()
    }
    const phase = await killAtRandom(home, random)
    phases.set(phase, (phases.get(phase) ?? 0) + 1)
    assertRunnable(home, host)
  }

  // Left alone, under a supervisor that restarts it, the agent arrives at the newest version.
  host.publishNext()
  const deadline = Date.now() + 30_000
  for (let record = installedRecord(home); record?.version !== host.version || record.trial !== undefined;) {
    assert.ok(Date.now() < deadline, `stuck at ${JSON.stringify(record)} instead of ${host.version}`)
    const { agent, said } = startAgent(home)
    const ended = once(agent, 'exit')
    await Promise.race([ended, said('confirmed'), sleep(5000)])
    agent.kill('SIGKILL')
    await ended
    record = installedRecord(home)
  }
  assertRunnable(home, host)
  t.diagnostic(`${updates} updates went through; kills by last event: ${JSON.stringify(Object.fromEntries(phases))}`)
  assert.ok(
    updates >= ROUNDS / 20,
    `only ${updates} updates in ${ROUNDS} rounds: the kills came too early to mean anything`,
  )
})

function isGivenUp(home: Home, rootFile: string, version: string): boolean {
  return loadState(home, readPinnedRoot(rootFile), () => undefined).quarantine.some(
    (entry) => entry.version === version,
  )
}
