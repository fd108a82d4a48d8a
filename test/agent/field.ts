// What the tests of the agent stand on: a real host over HTTP whose answers a test can replace, homes in the temporary
// directory, programs that are small shell scripts, and manifests signed with fixed keys.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { brotliCompressSync } from 'node:zlib'

import type { AgentEvent } from '../../agent/events/events.ts'
import { homeAt, type Home, prepareHome } from '../../agent/home/home.ts'
import { adoptProgram } from '../../agent/install/adopt.ts'
import { prepareLaunch } from '../../agent/trial/launch.ts'
import { withLock } from '../../agent/home/lock.ts'
import { loadSettings, type Settings } from '../../agent/settings/settings.ts'
import type { SettingsFile } from '../../agent/settings/settings-file.ts'
import { update, type UpdateDeps, type UpdateResult } from '../../agent/update.ts'
import { BUILT_AT_MS } from '../../agent/moult-version.ts'
import {
  formatDate,
  isMoultError,
  type JsonValue,
  type MoultError,
  platformOf,
  RELEASE_UNSIGNED,
  sha256,
  statementDigest,
} from '../../manifests/index.ts'
import {
  defaultKeys,
  makeManifest,
  type ManifestOptions,
  makeRelease,
  makeRoot,
  type Overrides,
  signStatement,
} from '../fixtures/signed-manifest.ts'

export const NAME = 'heartbeat-agent'
export const PLATFORM = platformOf(process.platform, process.arch)
export const NOW = Math.max(Date.now(), BUILT_AT_MS)
const HOUR_MS = 3_600_000
/** For tests whose failure would be to wait for ever. */
export const BOUNDED = { timeout: 60_000 }

export function makeDir(t: TestContext): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'moult-agent-'))
  const remove = (): void => fs.rmSync(path, { recursive: true, force: true })
  t.after(() => {
    try {
      remove()
    } catch {
      // An agent still writes there: hooks run in their order, and the one that kills it comes after this one.
      process.once('exit', remove)
    }
  })
  return path
}

/** A program that answers `--version` and then does `body`. */
export function program(version: string, body = 'exit 0'): Buffer {
  return Buffer.from(`#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; exit 0; fi\n${body}\n`)
}

// --- the host ------------------------------------------------------------------------------------------------------

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export class Host {
  url = ''
  /** `METHOD path`, with the range if one was asked for. */
  readonly requests: string[] = []
  readonly headers: IncomingMessage['headers'][] = []
  /** Bytes of bodies that were sent by `serve`. */
  sent = 0
  readonly answers = new Map<string, Answer>()
  readonly #sockets = new Set<Socket>()

  async listen(t: TestContext): Promise<this> {
    const server = createServer((request, response) => {
      const path = (request.url ?? '').slice(1).split('?')[0] ?? ''
      this.requests.push(path + (request.headers.range === undefined ? '' : ` ${request.headers.range}`))
      this.headers.push(request.headers)
      const answer = this.answers.get(path)
      if (answer === undefined) response.writeHead(404).end('not here\n')
      else answer(request, response)
    })
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      for (const socket of this.#sockets) socket.destroy()
      server.close()
    })
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return this
  }

  /** Serves bytes with ETag, conditions and single ranges, as a static host does. */
  serve(path: string, bytes: Uint8Array, etag = `"${sha256(bytes).slice(0, 16)}"`): void {
    this.answers.set(path, (request, response) => {
      if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end()
      const range = /^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')
      const isCurrent = request.headers['if-range'] === undefined || request.headers['if-range'] === etag
      const start = range !== null && isCurrent ? Number(range[1]) : 0
      if (range !== null && start >= bytes.length) {
        return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
      }
      const isPart = range !== null && isCurrent
      const contentRange = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
      response.writeHead(isPart ? 206 : 200, {
        etag,
        'content-length': bytes.length - start,
        ...(isPart ? contentRange : {}),
      })
      this.sent += bytes.length - start
      response.end(bytes.subarray(start))
    })
  }

  answer(path: string, answer: Answer): void {
    this.answers.set(path, answer)
  }

  /** Requests since the last call. */
  drain(): string[] {
    return this.requests.splice(0)
  }
}

export async function startHost(t: TestContext): Promise<Host> {
  return new Host().listen(t)
}

export interface Offer {
  readonly version: string
  readonly artifact?: Buffer
  readonly sequence?: number
  /** Members of the platform's binary, over the right ones. */
  readonly binary?: Record<string, JsonValue>
  /** Publish a compressed artifact too. */
  readonly br?: boolean
  readonly manifest?: ManifestOptions
}

/** Signed bytes of `version.json` for an offer. */
export function manifestOf(offer: Offer): Buffer {
  const { sequence = 10, manifest = {} } = offer
  return Buffer.from(
    makeManifest({
      ...manifest,
      release: releaseMembers(offer),
      rollout: {
        sequence,
        issued: formatDate(NOW - HOUR_MS),
        expires: formatDate(NOW + 48 * HOUR_MS),
        stages: [{ at: formatDate(NOW - HOUR_MS), percent: 100 }],
        ...manifest.rollout,
      },
    }).bytes,
  )
}

function releaseMembers(offer: Offer): Overrides {
  const { version, binary = {}, manifest = {} } = offer
  const artifact = artifactOf(offer)
  const packed = offer.br === true ? brotliCompressSync(artifact) : undefined
  const downloads =
    packed === undefined
      ? {}
      : { downloads: [{ url: `${version}.br`, size: packed.length, sha256: sha256(packed), encoding: 'br' }] }
  const whole = { url: `${version}.bin`, sha256: sha256(artifact), size: artifact.length, ...downloads }
  return { version, binaries: { [PLATFORM]: { ...whole, ...binary } }, ...manifest.release }
}

export function artifactOf({ version, artifact }: Offer): Buffer {
  return artifact ?? program(version)
}

/** Puts the whole of an offer on the host. */
export function publish(host: Host, offer: Offer): void {
  const artifact = artifactOf(offer)
  host.serve(`${offer.version}.bin`, artifact)
  if (offer.br === true) host.serve(`${offer.version}.br`, brotliCompressSync(artifact))
  host.serve('version.json', manifestOf(offer))
}

/**
 * Puts a release on the host that is not live, as those that were live before and those that only a rule names.
 * @returns how a rollout names it
 */
export function publishRelease(host: Host, offer: Offer): { version: string; release: string; url: string } {
  const { keys = defaultKeys(), releaseSigners = keys.release } = offer.manifest ?? {}
  const members = makeRelease(releaseMembers(offer))
  const url = `releases/${offer.version}.json`
  host.serve(`${offer.version}.bin`, artifactOf(offer))
  host.serve(url, Buffer.from(JSON.stringify(signStatement(members, releaseSigners, RELEASE_UNSIGNED))))
  return { version: offer.version, release: statementDigest(members, RELEASE_UNSIGNED), url }
}

// --- the machine ---------------------------------------------------------------------------------------------------

export interface Machine {
  readonly home: Home
  readonly settings: Settings
  readonly events: AgentEvent[]
  readonly deps: UpdateDeps
  /** One poll under the lock; installs unless told otherwise. */
  readonly poll: (options?: { apply?: boolean; deps?: Partial<UpdateDeps> }) => Promise<UpdateResult>
}

/** What the clocks of a machine say some time from now: that on the wall, and the one that nobody can set. */
export function laterBy(laterMs: number, jumpMs = 0): Pick<UpdateDeps, 'clock' | 'monotonic'> {
  return {
    clock: () => Date.now() + laterMs + jumpMs,
    monotonic: () => ({ boot: 'one', sinceBootMs: performance.now() + laterMs }),
  }
}

/** A home with version 1.0.0 that follows the host. */
export async function makeMachine(
  t: TestContext,
  host: { url: string },
  overrides: Partial<SettingsFile> = {},
  path = join(makeDir(t), 'home'),
): Promise<Machine> {
  const home = homeAt(path)
  await layOutHome(home)
  const settings = settingsAt(home, host, overrides)
  const events: AgentEvent[] = []
  const deps: UpdateDeps = { clock: () => NOW, emit: (event) => events.push(event) }
  return {
    home,
    settings,
    events,
    deps,
    poll: (options = {}) =>
      withLock(home, () => update(settings, { apply: options.apply ?? true }, { ...deps, ...options.deps })),
  }
}

export async function layOutHome(home: Home, version = '1.0.0', body?: string): Promise<void> {
  prepareHome(home)
  fs.writeFileSync(home.root, JSON.stringify(makeRoot()))
  await adopt(home, version, body)
}

export async function adopt(home: Home, version: string, body?: string): Promise<void> {
  const source = join(home.path, `source-${version}`)
  fs.writeFileSync(source, program(version, body))
  await adoptProgram(home, NAME, version, source)
  fs.rmSync(source)
}

export function settingsAt(home: Home, host: { url: string }, overrides: Partial<SettingsFile> = {}): Settings {
  return loadSettings(home.path, {}, { server: host.url, deployment: 'vm', retries: 0, keepDays: 0, ...overrides })
}

/** A snapshot of what MUST NOT change when an update fails. */
export function whatRuns(home: Home): { current: string; versions: string[]; launched: string; answers: string } {
  const launch = prepareLaunch(home, (message) => assert.fail(`the launcher warns: ${message}`))
  return {
    current: fs.readFileSync(home.current, 'utf8'),
    versions: fs.readdirSync(home.versions),
    launched: launch.version,
    answers: spawnSync(launch.program, ['--version'], { encoding: 'utf8' }).stdout.trim(),
  }
}

/** Nothing half-done: staging holds at most what a download can resume from, and no temporary file is left in home. */
export function assertTidy(home: Home, about = ''): void {
  const rests = fs.readdirSync(home.staging).filter((name) => !/^[0-9a-f]{64}\.partial$/.test(name))
  assert.deepEqual(rests, [], about)
  const known = Object.values(home).map((path) => (typeof path === 'string' ? path.slice(home.path.length + 1) : ''))
  const strangers = fs.readdirSync(home.path).filter((name) => !known.includes(name))
  assert.deepEqual(strangers, [], about)
  assert.deepEqual(fs.readdirSync(home.lock), ['free'], about)
}

/** The MoultError that `work` ends with. */
export async function failureOf(work: () => unknown): Promise<MoultError> {
  try {
    await work()
  } catch (error) {
    assert.ok(isMoultError(error), `not a MoultError: ${error instanceof Error ? error.stack : String(error)}`)
    return error
  }
  return assert.fail('expected a failure')
}

/** A small file system of its own, or undefined where mounting is not permitted. */
export function mountTmpfs(t: TestContext, size: string): string | undefined {
  const path = fs.mkdtempSync(join(tmpdir(), 'moult-agent-'))
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', path]).status === 0
  t.after(() => {
    if (isMounted) spawnSync('umount', ['-l', path])
    fs.rmSync(path, { recursive: true, force: true })
  })
  return isMounted ? path : undefined
}

export async function waitFor(condition: () => boolean, what: string, limitMs = 30_000): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > limitMs) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
