// The main job from an empty directory, with the real commands and real processes:
//
//   init -> release 1.0.0 -> serve -> install and start -> 1.0.1 -> 1.0.2 (crashes at start) -> 1.0.3
//
// `npm run demo` prints a transcript; `npm run demo -- --json` ends with one JSON object. It cleans up after itself.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { execa } from 'execa'

import { DemoStage, type Heartbeat, repository } from './demo-stage.ts'

const isJson = process.argv.includes('--json')
const EXPECTED = ['1.0.0', '1.0.1', '1.0.1', '1.0.3']
const BUG = "  throw new Error('a bug that only shows once the agent runs')\n"

const stage = new DemoStage(say)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Not once: who started this may pass on what the terminal has sent already, and the second would end the cleaning. Nor
  // by the command `tsx`, which kills what does not answer a signal within milliseconds.
  process.on(signal, () => {
    stage.cleanUp()
    process.exit(1)
  })
}
try {
  await play()
} catch (error) {
  process.exitCode = 1
  console.error(error instanceof Error ? error.message : error)
} finally {
  stage.cleanUp()
}

async function play(): Promise<void> {
  const startedMs = Date.now()
  await execa(process.execPath, ['--import', 'tsx', join(repository, 'scripts', 'build.ts')], { cwd: repository })
  stage.layOutProject()
  const versions: string[] = []

  title('A new project: configuration, one signing key, and the root document that agents pin')
  await stage.moult('init', '--name', 'heartbeat-agent', '--type', 'script', '--agent', 'agent.ts')

  title('Release 1.0.0 for four platforms, and serve it')
  await stage.moult('release', '1.0.0')
  const server = await stage.serve()

  title("On the agent's machine: install it from the server, and start it under a supervisor")
  const root = join(stage.project, 'trust', '1.root.json')
  const settings = ['--interval', '1s', '--probation', '3s', '--tries', '2']
  await stage.moult('agent', 'install', '--home', stage.home, '--server', server, '--root', root, ...settings)
  await stage.startAgent()
  versions.push(await stage.untilRunning('1.0.0'))

  title('Release 1.0.1: the running agent replaces itself')
  await stage.moult('release', '1.0.1')
  versions.push(await stage.untilRunning('1.0.1'))

  title('Release 1.0.2, which crashes at its start: the agent comes back by itself')
  const source = join(stage.project, 'agent.ts')
  const good = readFileSync(source, 'utf8')
  writeFileSync(source, withBug(good))
  await stage.moult('release', '1.0.2')
  const rolledBack = await stage.untilQuarantined('1.0.2')
  versions.push(await stage.untilRunning('1.0.1'))

  title('Release 1.0.3, repaired')
  writeFileSync(source, good)
  await stage.moult('release', '1.0.3')
  versions.push(await stage.untilRunning('1.0.3'))

  await stage.stopAgent()
  report(versions, rolledBack, stage.readOutbox(), Date.now() - startedMs)
}

function withBug(source: string): string {
  const bad = source.replace('function main(): void {\n', (line) => line + BUG)
  if (bad === source) throw new Error('the example agent has no main() to break')
  return bad
}

function report(
  versions: readonly string[],
  rolledBack: readonly string[],
  outbox: readonly Heartbeat[],
  timeMs: number,
): void {
  const result = {
    versions,
    rolledBack,
    heartbeats: outbox.length,
    heartbeatsLost: heartbeatsLost(outbox),
    longestPauseMs: longestPauseMs(outbox),
    seconds: Math.round(timeMs / 100) / 10,
  }
  title('Done')
  say(`Versions that ran: ${versions.join(' -> ')}; rolled back: ${rolledBack.join(', ')}`)
  say(
    `Heartbeats: ${result.heartbeats}, lost or doubled: ${result.heartbeatsLost}, longest pause ${result.longestPauseMs} ms`,
  )
  if (isJson) console.log(JSON.stringify(result))
  const isAsExpected = versions.join() === EXPECTED.join() && result.heartbeatsLost === 0 && result.heartbeats > 0
  if (!isAsExpected) throw new Error('the demo did not end as it should')
}

/** Numbers, up to the highest that was announced or stored, that are not in the outbox exactly once. */
function heartbeatsLost(outbox: readonly Heartbeat[]): number {
  const counts = new Map<number, number>()
  for (const { number } of outbox) counts.set(number, (counts.get(number) ?? 0) + 1)
  const highest = Math.max(0, ...counts.keys(), ...stage.announced)
  return Array.from({ length: highest }, (_, index) => index + 1).filter((number) => counts.get(number) !== 1).length
}

function longestPauseMs(outbox: readonly Heartbeat[]): number {
  const times = outbox.map(({ at }) => Date.parse(at))
  return Math.max(0, ...times.slice(1).map((time, index) => time - (times[index] ?? time)))
}

function title(text: string): void {
  say(`\n# ${text}`)
}

/** The transcript; with --json it goes where it cannot mix with the result. */
function say(line: string): void {
  if (isJson) console.error(line)
  else console.log(line)
}
