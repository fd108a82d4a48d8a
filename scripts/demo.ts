// The main job from an empty directory, with the real commands and real processes:
//
//   init -> release 1.0.0 -> serve -> install and start -> 1.0.1 -> 1.0.2 (crashes at start) -> 1.0.3
//
// `npm run demo` prints a transcript; `npm run demo -- --json` ends with one JSON object. It cleans up after itself.

import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { execa } from 'execa'

const repository = dirname(dirname(fileURLToPath(import.meta.url)))
const isJson = process.argv.includes('--json')
const WAIT_MS = 45_000
const BUG = "  throw new Error('a bug that only shows once the agent runs')\n"

/** The agent's supervisor, in one line: systemd, runit or Kubernetes do the same on a real machine. */
const SUPERVISOR = `while :; do "$1/launch"; echo "supervisor: the agent ended with status $?, starting it again"; sleep 0.3; done`

interface Scene {
  readonly project: string
  readonly home: string
  readonly port: number
}

const workspace = mkdtempSync(join(tmpdir(), 'moult demo '))
const children: ChildProcess[] = []
/** Numbers of the heartbeats that the agent announced, in the order in which it did. */
const announced: number[] = []

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    cleanUp()
    process.exit(1)
  })
}

try {
  await play()
} catch (error) {
  process.exitCode = 1
  console.error(error instanceof Error ? error.message : error)
} finally {
  cleanUp()
}

async function play(): Promise<void> {
  const startedMs = Date.now()
  const scene: Scene = { project: join(workspace, 'project'), home: join(workspace, 'agent home'), port: await freePort() }
  await execa(process.execPath, [join(repository, 'node_modules', 'tsx', 'dist', 'cli.mjs'), join(repository, 'scripts', 'build.ts')])
  layOutProject(scene)
  const versions: string[] = []

  title('A new project: configuration, one signing key, and the root document that agents pin')
  await moult(scene, 'init', '--name', 'heartbeat-agent', '--type', 'script', '--agent', 'agent.ts')

  title('Release 1.0.0 for four platforms, and serve it')
  await moult(scene, 'release', '1.0.0')
  const server = await serve(scene)

  title('On the agent\'s machine: install it from the server, and start it under a supervisor')
  const root = join(scene.project, 'trust', '1.root.json')
  const settings = ['--interval', '1s', '--probation', '3s', '--tries', '2']
  await moult(scene, 'agent', 'install', '--home', scene.home, '--server', server, '--root', root, ...settings)
  startAgent(scene)
  versions.push(await untilRunning(scene, '1.0.0'))

  title('Release 1.0.1: the running agent replaces itself')
  await moult(scene, 'release', '1.0.1')
  versions.push(await untilRunning(scene, '1.0.1'))

  title('Release 1.0.2, which crashes at its start: the agent comes back by itself')
  const source = join(scene.project, 'agent.ts')
  const good = readFileSync(source, 'utf8')
  const bad = good.replace('function main(): void {\n', (line) => line + BUG)
  if (bad === good) throw new Error('the example agent has no main() to break')
  writeFileSync(source, bad)
  await moult(scene, 'release', '1.0.2')
  const rolledBack = await untilQuarantined(scene, '1.0.2')
  versions.push(await untilRunning(scene, '1.0.1'))

  title('Release 1.0.3, repaired')
  writeFileSync(source, good)
  await moult(scene, 'release', '1.0.3')
  versions.push(await untilRunning(scene, '1.0.3'))

  await stopAgent()
  const outbox = readOutbox(scene)
  const result = {
    versions,
    rolledBack,
    heartbeats: outbox.length,
    heartbeatsLost: heartbeatsLost(outbox),
    longestPauseMs: longestPauseMs(outbox),
    seconds: Math.round((Date.now() - startedMs) / 100) / 10,
  }
  const expected = JSON.stringify(['1.0.0', '1.0.1', '1.0.1', '1.0.3'])
  if (JSON.stringify(versions) !== expected || result.heartbeatsLost > 0 || result.heartbeats === 0) process.exitCode = 1
  title('Done')
  say(`Versions that ran: ${versions.join(' -> ')}; rolled back: ${rolledBack.join(', ')}`)
  say(`Heartbeats: ${result.heartbeats}, lost or doubled: ${result.heartbeatsLost}, longest pause ${result.longestPauseMs} ms`)
  if (isJson) console.log(JSON.stringify(result))
}

/** A project of a user: the example agent, and Moult as its dependency. */
function layOutProject({ project }: Scene): void {
  mkdirSync(join(project, 'node_modules'), { recursive: true })
  symlinkSync(repository, join(project, 'node_modules', 'moult'), 'dir')
  for (const name of ['agent.ts', 'outbox.ts']) {
    cpSync(join(repository, 'examples', 'heartbeat-agent', name), join(project, name))
    chmodSync(join(project, name), 0o644)
  }
}

async function moult({ project }: Scene, ...args: string[]): Promise<void> {
  say(`$ moult ${args.map((arg) => (/\s/.test(arg) ? `'${arg}'` : arg)).join(' ')}`)
  const { all } = await execa(process.execPath, [join(repository, 'dist', 'cli', 'main.js'), ...args], { cwd: project, all: true })
  for (const line of all.split('\n')) if (line !== '') say(`  ${line}`)
}

async function serve({ project }: Scene): Promise<string> {
  say('$ moult serve updates --port 0')
  const main = join(repository, 'dist', 'cli', 'main.js')
  const server = spawn(process.execPath, [main, 'serve', 'updates', '--port', '0', '--json'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(server)
  for await (const line of createInterface({ input: server.stdout })) {
    const { url } = JSON.parse(line) as { url: string }
    server.stdout.resume()
    say(`  serving on ${url}`)
    return url
  }
  throw new Error('the update server did not start')
}

function startAgent({ home, port }: Scene): void {
  say('$ while :; do <home>/launch; done')
  const env = { ...process.env, HEARTBEAT_PORT: String(port), HEARTBEAT_INTERVAL_MS: '250' }
  const agent = spawn('sh', ['-c', SUPERVISOR, 'supervisor', home], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(agent)
  createInterface({ input: agent.stdout }).on('line', (line) => {
    const beat = /^heartbeat (\d+)$/.exec(line)
    if (beat === null) say(`  | ${line}`)
    else announced.push(Number(beat[1]))
  })
  createInterface({ input: agent.stderr }).on('line', (line) => {
    if (/^(?:Error|moult-launch):/.test(line)) say(`  | ${line}`)
  })
}

/** Waits until `version` answers on the agent's own health endpoint and is confirmed. */
async function untilRunning({ home, port, project }: Scene, version: string): Promise<string> {
  await until(`version ${version} to run and be confirmed`, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
    const health = (await answer?.json().catch(() => undefined)) as { version?: string } | undefined
    const { record } = await agentStatus(project, home)
    return health?.version === version && record?.version === version && record.trial === undefined
  })
  return version
}

async function untilQuarantined({ home, project }: Scene, version: string): Promise<string[]> {
  let quarantined: string[] = []
  await until(`version ${version} to be rolled back`, async () => {
    quarantined = (await agentStatus(project, home)).quarantine.map((entry) => entry.version)
    return quarantined.includes(version)
  })
  return quarantined
}

interface Status {
  readonly record?: { readonly version: string; readonly trial?: unknown }
  readonly quarantine: readonly { readonly version: string }[]
}

async function agentStatus(project: string, home: string): Promise<Status> {
  const main = join(repository, 'dist', 'cli', 'main.js')
  const { stdout } = await execa(process.execPath, [main, 'agent', 'status', '--home', home, '--json'], { cwd: project })
  return JSON.parse(stdout) as Status
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${WAIT_MS / 1000} s in vain for ${what}`)
    await sleep(300)
  }
}

async function stopAgent(): Promise<void> {
  const agent = children.at(-1)
  if (agent?.pid === undefined) return
  const ended = new Promise((resolve) => agent.once('exit', resolve))
  process.kill(-agent.pid, 'SIGTERM')
  await ended
  await sleep(500)
}

function readOutbox({ home }: Scene): { number: number; at: string }[] {
  const lines = readFileSync(join(home, 'outbox.jsonl'), 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as { number: number; at: string })
}

/** Announced heartbeats that are not in the outbox exactly once, and gaps in their numbers. */
function heartbeatsLost(outbox: { number: number }[]): number {
  const counts = new Map<number, number>()
  for (const { number } of outbox) counts.set(number, (counts.get(number) ?? 0) + 1)
  const highest = Math.max(...counts.keys(), ...announced)
  let wrong = 0
  for (let number = 1; number <= highest; number += 1) if (counts.get(number) !== 1) wrong += 1
  return wrong
}

function longestPauseMs(outbox: { at: string }[]): number {
  const times = outbox.map(({ at }) => Date.parse(at))
  return Math.max(0, ...times.slice(1).map((time, index) => time - (times[index] ?? time)))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function cleanUp(): void {
  for (const child of children.splice(0)) {
    try {
      // The agent's supervisor leads a group of its own, so that the agent goes with it.
      if (child.pid !== undefined) process.kill(child.spawnfile === 'sh' ? -child.pid : child.pid, 'SIGKILL')
    } catch {
      // It had ended already.
    }
  }
  rmSync(workspace, { recursive: true, force: true })
}

function title(text: string): void {
  say(`\n# ${text}`)
}

/** The transcript; with --json it goes where it cannot mix with the result. */
function say(line: string): void {
  if (isJson) console.error(line)
  else console.log(line)
}
