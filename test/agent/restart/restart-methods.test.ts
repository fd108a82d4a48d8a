import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { checkOnce } from '../../../agent/check-once.ts'
import { readLaunchRecord } from '../../../agent/home/launch-record.ts'
import { prepareLaunch } from '../../../agent/trial/launch.ts'
import { startAgentProcess, works } from '../agent-process.ts'
import { laterBy, makeDir, makeMachine, type Machine, publish, settingsAt, startHost, waitFor } from '../field.ts'

/** A machine with 1.0.0, whose host offers 1.0.1. */
async function withOffer(t: TestContext): Promise<Machine & { readonly url: string }> {
  const host = await startHost(t)
  publish(host, { version: '1.0.1' })
  return { ...(await makeMachine(t, host)), url: host.url }
}

interface Systemctl {
  readonly path: string
  /** How it was called, a line each. */
  readonly calls: () => string[]
}

/** What stands for systemctl in PATH; `body` is shell, and sees the arguments. */
function makeSystemctl(t: TestContext, body: string): Systemctl {
  const directory = makeDir(t)
  const log = join(directory, 'calls')
  const text = `#!/bin/sh\nprintf '%s\\n' "$*" >> '${log}'\n${body}\n`
  fs.writeFileSync(join(directory, 'systemctl'), text, { mode: 0o755 })
  return {
    path: [directory, process.env['PATH']].join(delimiter),
    calls: () => (fs.existsSync(log) ? fs.readFileSync(log, 'utf8').split('\n').slice(0, -1) : []),
  }
}

/** The pid of the program, in the place of what systemd knows. */
const STOPS_PARENT = 'kill -TERM "$PPID"'
const FAILS = 'echo "Failed to restart: Interactive authentication required." >&2; exit 4'

const isPending = ({ home }: Machine): boolean => readLaunchRecord(home.current)?.trial?.started === 0

describe('a program with an updater inside', { timeout: 240_000, concurrency: 3 }, () => {
  test('asks systemd to restart its unit, and is ended by it in its own way', async (t) => {
    const machine = await withOffer(t)
    const systemctl = makeSystemctl(t, STOPS_PARENT)
    const agent = startAgentProcess(t, machine, {
      settings: { restart: { method: 'systemd', unit: 'sensor.service' } },
      env: { PATH: systemctl.path },
      before: "process.on('SIGTERM', () => updater.stop().then(() => process.exit(7)))",
    })
    assert.deepEqual(await agent.ended, { code: 7, signal: null })
    assert.deepEqual(systemctl.calls(), ['restart --no-block sensor.service'])
    assert.ok(isPending(machine))
    assert.equal(agent.has(/"kind":"warning"/), false)
  })

  test('exits with 100 and says why when systemctl may not, is not there, or does nothing', async (t) => {
    for (const [body, warning] of [
      [FAILS, /Interactive authentication required/],
      [undefined, /cannot restart .*ENOENT/],
      ['exit 0', /systemd has not restarted sensor\.service in 0\.3 s/],
    ] as const) {
      const machine = await withOffer(t)
      const systemctl = body === undefined ? undefined : makeSystemctl(t, body)
      const agent = startAgentProcess(t, machine, {
        settings: { restart: { method: 'systemd', unit: 'sensor.service', timeout: '300ms' } },
        env: { PATH: systemctl?.path ?? makeDir(t) },
      })
      assert.deepEqual(await agent.ended, { code: 100, signal: null })
      assert.ok(agent.has(warning), agent.lines.join('\n'))
      assert.ok(isPending(machine))
    }
  })

  test('names the unit after the project where it runs in none', async (t) => {
    const machine = await withOffer(t)
    const systemctl = makeSystemctl(t, FAILS)
    const agent = startAgentProcess(t, machine, {
      settings: { restart: { method: 'systemd' } },
      env: { PATH: systemctl.path },
    })
    assert.equal((await agent.ended).code, 100)
    // Under a service of systemd the test itself is in a unit.
    assert.match(systemctl.calls()[0] ?? '', /^(?:--user )?restart --no-block [^ ]+\.service$/)
  })

  test('sends itself the signal, which ends it or which it handles', async (t) => {
    const machine = await withOffer(t)
    const agent = startAgentProcess(t, machine, { settings: { restart: { method: 'signal' } } })
    assert.deepEqual(await agent.ended, { code: null, signal: 'SIGHUP' })
    assert.ok(isPending(machine))

    const other = await withOffer(t)
    const handled = startAgentProcess(t, other, {
      settings: { restart: { method: 'signal', signal: 'SIGUSR2' } },
      before: "process.on('SIGUSR2', () => process.exit(9))",
    })
    assert.equal((await handled.ended).code, 9)
    assert.ok(isPending(other))
  })

  test('goes on with its work and its polls when the signal has no effect, and installs nothing more', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    const agent = startAgentProcess(t, machine, {
      settings: { restart: { method: 'signal', timeout: '200ms' } },
      before: "process.on('SIGHUP', () => console.log('hup'))",
    })
    await agent.line(/the program still runs 0\.2 s after SIGHUP; the new version runs at the next start/)
    publish(host, { version: '1.0.2', sequence: 11 })
    host.drain()
    await waitFor(() => host.requests.filter((path) => path === 'version.json').length >= 3, 'further polls')
    await works(agent)
    assert.equal(agent.child.exitCode, null)
    assert.equal(agent.lines.filter((line) => line === 'hup').length, 1)
    assert.equal(readLaunchRecord(machine.home.current)?.version, '1.0.1')
    assert.ok(isPending(machine))
    assert.ok(!host.requests.includes('1.0.2.bin'))
  })

  test('signals the process of the pid file, and goes on when there is none', async (t) => {
    const machine = await withOffer(t)
    const master = spawn('sleep', ['60'], { stdio: 'ignore' })
    t.after(() => master.kill('SIGKILL'))
    const ended = once(master, 'exit')
    fs.writeFileSync(join(machine.home.path, 'master.pid'), `${master.pid}\n`)
    const restart = { method: 'signal', signal: 'SIGTERM', pidFile: 'master.pid', timeout: '100ms' }
    const agent = startAgentProcess(t, machine, { settings: { restart } })
    assert.deepEqual(await ended, [null, 'SIGTERM'])
    await agent.line(/the program still runs/)

    const other = await withOffer(t)
    fs.writeFileSync(join(other.home.path, 'master.pid'), '-1\n')
    const alone = startAgentProcess(t, other, { settings: { restart } })
    await alone.line(
      /no SIGTERM was sent: no pid of a program in .*master\.pid; the new version runs at the next start/,
    )
    await works(alone)
  })

  test('restarts the same way after a rollback', async (t) => {
    const machine = await withOffer(t)
    await machine.poll()
    assert.equal(prepareLaunch(machine.home, assert.fail).trial, 1)
    const systemctl = makeSystemctl(t, STOPS_PARENT)
    const agent = startAgentProcess(t, machine, {
      version: '1.0.1',
      settings: { restart: { method: 'systemd', unit: 'sensor.service' } },
      env: { PATH: systemctl.path },
      options: 'health: () => false,',
    })
    assert.deepEqual(await agent.ended, { code: null, signal: 'SIGTERM' })
    assert.deepEqual(systemctl.calls(), ['restart --no-block sensor.service'])
    const record = readLaunchRecord(machine.home.current)
    assert.deepEqual([record?.version, record?.failed?.reason], ['1.0.0', 'health'])
  })

  test('leaves the restart to the host program that brings its own', async (t) => {
    const machine = await withOffer(t)
    const agent = startAgentProcess(t, machine, {
      settings: { restart: { method: 'signal' } },
      options: 'restart: () => process.exit(5),',
    })
    assert.equal((await agent.ended).code, 5)
  })

  test('exits with 100 under a launcher that stays, and where the runtime cannot replace its process', async (t) => {
    const machine = await withOffer(t)
    const exec = { restart: { method: 'exec' } }
    const agent = startAgentProcess(t, machine, { settings: exec, env: { MOULT_LAUNCH: 'stay' } })
    assert.equal((await agent.ended).code, 100)
    assert.equal(agent.has(/"kind":"warning"/), false)

    const old = startAgentProcess(t, await withOffer(t), { settings: exec, before: 'process.execve = undefined' })
    assert.equal((await old.ended).code, 100)
    assert.ok(old.has(/cannot replace its process/))
  })
})

describe('a check by a command', { timeout: 240_000, concurrency: 3 }, () => {
  /** In a process's own PATH: the check runs in this one. */
  async function withPath<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = process.env['PATH']
    process.env['PATH'] = path
    try {
      return await work()
    } finally {
      process.env['PATH'] = before
    }
  }

  test('restarts the unit of the program that it has updated, or says that it cannot', async (t) => {
    for (const [body, isRestarted] of [
      ['exit 0', true],
      [FAILS, false],
    ] as const) {
      const { home, deps, events, url } = await withOffer(t)
      const systemctl = makeSystemctl(t, body)
      const settings = settingsAt(home, { url }, { restart: { method: 'systemd' } })
      const result = await withPath(systemctl.path, () => checkOnce(settings, { apply: true }, deps))
      assert.equal(result.kind, 'swapped')
      assert.equal(result.isRestarted, isRestarted)
      assert.deepEqual(systemctl.calls(), ['restart --no-block heartbeat-agent.service'])
      const warnings = events.filter(({ kind }) => kind === 'warning')
      assert.equal(warnings.length, isRestarted ? 0 : 1)
    }
  })

  test('signals the program of the pid file, also after a rollback, and needs that file', async (t) => {
    const { home, deps, events, url } = await withOffer(t)
    const calls = join(home.path, 'calls')
    const agent = spawn('sh', ['-c', `trap 'echo hup >> "${calls}"' HUP; echo ready; while :; do sleep 0.05; done`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => agent.kill('SIGKILL'))
    await once(agent.stdout, 'data')
    fs.writeFileSync(join(home.path, 'pid'), `${agent.pid}\n`)
    const hups = (): number => (fs.existsSync(calls) ? fs.readFileSync(calls, 'utf8').split('\n').length - 1 : 0)
    const given = { restart: { method: 'signal' as const, pidFile: 'pid' }, health: { command: ['false'] } }
    const check = (laterMs: number) =>
      checkOnce(
        settingsAt(home, { url }, given),
        { apply: true },
        {
          ...deps,
          ...laterBy(laterMs),
        },
      )
    assert.equal((await check(0)).isRestarted, true)
    await waitFor(() => hups() === 1, 'the signal after the update')
    prepareLaunch(home, assert.fail)
    const early = await check(60_000)
    assert.deepEqual([early.kind, early.isRestarted], ['checked', undefined])
    assert.equal((await check(11 * 60_000)).isRestarted, true)
    assert.ok(events.some(({ kind }) => kind === 'rolled-back'))
    await waitFor(() => hups() === 2, 'the signal after the rollback')

    const other = await withOffer(t)
    const settings = settingsAt(other.home, other, { restart: { method: 'signal' } })
    assert.equal((await checkOnce(settings, { apply: true }, other.deps)).isRestarted, false)
    assert.ok(other.events.some((event) => event.kind === 'warning' && event.message.includes('no pidFile is set')))
  })
})
