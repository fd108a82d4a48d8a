// A supervisor that is a release itself: the built command line under the launcher of a home of its own, with a loop in
// shell as whatever restarts services on a machine.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { homeAt, type Home } from '../../agent/home/home.ts'
import { installAgent } from '../../agent/install/install.ts'
import { installedRecord } from '../../agent/home/launch-record.ts'
import { ownLaunchOf } from '../../agent/self-update.ts'
import { makeRoot } from '../fixtures/signed-manifest.ts'
import { BOUNDED, type Host, layOutHome, makeDir, program, publish, startHost, waitFor } from './field.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 60_000

interface Scene {
  readonly moultHost: Host
  readonly agentHost: Host
  readonly moultHome: Home
  readonly agentHome: Home
  readonly lines: string[]
  readonly supervisor: ChildProcess
  /** What the program writes: `start <version> <facts>` and `term <version>`. */
  readonly log: () => string[]
  /** Body of a moult executable. */
  readonly moult: string
  readonly said: (pattern: RegExp) => Promise<void>
}

/** A program that is as steady as its surroundings: without the tools of the system it does not even start. */
const steady = (log: string): string =>
  `command -v sleep >/dev/null || exit 9
echo "start $MOULT_VERSION $MOULT_HOME \${MOULT_SUPERVISED-none} \${MOULT_LAUNCHER-none} \${MOULT_TRIAL-none}" >>'${log}'
trap 'echo "term $MOULT_VERSION" >>"${log}"; kill $! 2>/dev/null; exit 0' TERM
while :; do sleep 1000 & wait $!; done`

async function setUp(t: TestContext, probation = '1s'): Promise<Scene> {
  const directory = fs.realpathSync(makeDir(t))
  const [moultHost, agentHost] = [await startHost(t), await startHost(t)]
  const [moultHome, agentHome] = [homeAt(join(directory, 'moult home')), homeAt(join(directory, 'agent home'))]
  const logPath = join(directory, 'log')
  await layOutHome(agentHome, '1.0.0', steady(logPath))
  const settings = { interval: '1s', probation: '1s', retries: 0, preflight: ['--version'], deployment: 'vm' }
  fs.writeFileSync(agentHome.config, JSON.stringify({ ...settings, server: agentHost.url }))
  publish(agentHost, { version: '1.0.0', artifact: program('1.0.0', steady(logPath)), sequence: 1 })

  // A copy: a build beside this test would exchange the files under a process that loads some of them late.
  fs.cpSync(join(ROOT, 'dist'), join(directory, 'dist'), { recursive: true })
  fs.cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'))
  fs.symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  const moult = `exec '${process.execPath}' '${directory}/dist/cli/main.js' "$@"`
  fs.writeFileSync(join(directory, 'moult'), program('9.0.0', moult), { mode: 0o755 })
  fs.writeFileSync(join(directory, 'root.json'), JSON.stringify(makeRoot()))
  publish(moultHost, { version: '9.0.0', artifact: program('9.0.0', moult), sequence: 1 })
  await installAgent(
    {
      home: moultHome.path,
      root: join(directory, 'root.json'),
      settings: { ...settings, deployment: 'vm', server: moultHost.url, tries: 2, probation, probationDeadline: '5m' },
      program: { path: join(directory, 'moult'), version: '9.0.0' },
      env: {},
    },
    { clock: Date.now, emit: () => undefined },
  )

  const loop = 'while :; do "$0" "$@"; echo "ended with $?"; sleep 0.2; done'
  const args = ['-c', loop, moultHome.launch, 'agent', 'run', '--home', agentHome.path]
  // The last one is meant for the program, whose updates come from the file, as all of them do here.
  const env = { PATH: process.env['PATH'], UPDATE_SERVER: agentHost.url }
  const supervisor = spawn('sh', args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => {
    try {
      process.kill(-(supervisor.pid as number), 'SIGKILL')
    } catch {
      // All of it has ended.
    }
  })
  const lines: string[] = []
  for (const stream of [supervisor.stdout, supervisor.stderr])
    createInterface({ input: stream }).on('line', (line) => lines.push(line))
  return {
    moultHost,
    agentHost,
    moultHome,
    agentHome,
    lines,
    supervisor,
    moult,
    log: () => (fs.existsSync(logPath) ? fs.readFileSync(logPath, 'utf8').trimEnd().split('\n') : []),
    said: (pattern) =>
      waitFor(() => lines.some((line) => pattern.test(line)), `${pattern} in:\n${lines.join('\n')}`, LIMIT_MS).catch(
        (error: unknown) => assert.fail(`${String(error)}\n${lines.join('\n')}`),
      ),
  }
}

describe('a supervisor that is a release itself', { timeout: 4 * BOUNDED.timeout, concurrency: true }, () => {
  test('is replaced by a newer one, which starts the program again', async (t) => {
    const { moultHost, moultHome, agentHome, lines, moult, log, said } = await setUp(t)
    await waitFor(() => log().length === 1, 'the program runs', LIMIT_MS)
    const start = `start 1.0.0 ${agentHome.path} 1 none none`
    publish(moultHost, { version: '9.0.1', artifact: program('9.0.1', moult), sequence: 2 })
    await said(/^moult: Confirmed: 9\.0\.1$/)
    assert.deepEqual(log(), [start, 'term 1.0.0', start])
    assert.deepEqual(
      lines.filter((line) => line.startsWith('ended')),
      ['ended with 100'],
    )
    assert.equal(installedRecord(moultHome)?.version, '9.0.1')
    assert.deepEqual(installedRecord(agentHome), { version: '1.0.0' })
  })

  test('goes back when the new one does not start, and when its program does not come up', async (t) => {
    const { moultHost, moultHome, lines, moult, log, said } = await setUp(t, '10s')
    publish(moultHost, { version: '9.0.1', artifact: program('9.0.1', 'exit 1'), sequence: 2 })
    await said(/^moult: Rolled back: 9\.0\.1 \(tries\), running 9\.0\.0$/)
    assert.equal(lines.filter((line) => line === 'ended with 1').length, 2)
    const lost = program('9.0.2', `PATH=/nowhere ${moult}`)
    publish(moultHost, { version: '9.0.2', artifact: lost, sequence: 3 })
    await said(/^moult: Rolled back: 9\.0\.2 \(health\), running 9\.0\.0$/)
    await waitFor(() => log().at(-1)?.startsWith('start') === true, 'the program runs again', LIMIT_MS)
    // Never two of it, and whoever stopped it started it again.
    log().forEach((line, index) => assert.match(line, index % 2 === 0 ? /^start 1\.0\.0 / : /^term 1\.0\.0$/))
    assert.equal(installedRecord(moultHome)?.version, '9.0.0')
  })

  test('goes on to update its program, and stops with it', async (t) => {
    const { agentHost, agentHome, supervisor, lines, log, said } = await setUp(t)
    await waitFor(() => log().length === 1, 'the program runs', LIMIT_MS)
    const logPath = join(agentHome.path, '../log')
    publish(agentHost, { version: '1.0.1', artifact: program('1.0.1', steady(logPath)), sequence: 2 })
    await said(/^Confirmed: 1\.0\.1$/)
    assert.ok(!lines.some((line) => line.startsWith('ended')), 'for its program it need not start again')
    assert.deepEqual(
      lines.filter((line) => line.startsWith('moult: ') && !/^moult: (Version|Up to date)/.test(line)),
      [],
    )
    supervisor.kill('SIGKILL')
    const ended = once(supervisor, 'close')
    const pid = Number(lines.findLast((line) => line.startsWith('Started'))?.match(/process (\d+)$/)?.[1])
    process.kill(parentOf(pid), 'SIGTERM')
    await ended
    assert.deepEqual(log().at(-1), 'term 1.0.1')
  })

  test('is one only under a launcher, and never under that of its program', async (t) => {
    const home = makeDir(t)
    const told = { MOULT_LAUNCHER: '1', MOULT_HOME: '/opt/moult', MOULT_VERSION: '9.0.0' }
    assert.deepEqual(ownLaunchOf(told, home), { home: '/opt/moult', version: '9.0.0' })
    assert.equal(ownLaunchOf({ ...told, MOULT_LAUNCHER: undefined }, home), undefined)
    const link = join(makeDir(t), 'link')
    fs.symlinkSync(home, link)
    assert.throws(() => ownLaunchOf({ ...told, MOULT_HOME: link }, home), { code: 'ERR_USAGE_INVALID' })
  })
})

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
