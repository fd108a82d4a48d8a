import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import type { AgentEvent } from '../../agent/events/events.ts'
import { readLaunchRecord, writeLaunchRecord } from '../../agent/home/launch-record.ts'
import type { SettingsFile } from '../../agent/settings/settings-file.ts'
import { supervise } from '../../agent/supervise.ts'
import {
  adopt,
  BOUNDED,
  type Host,
  makeMachine,
  type Machine,
  program,
  publish,
  settingsAt,
  startHost,
  waitFor,
} from './field.ts'

interface Run {
  readonly events: AgentEvent[]
  readonly log: string
  readonly stop: () => void
  readonly ended: Promise<number>
  readonly count: (kind: AgentEvent['kind'], version?: string) => number
}

/** A program that writes what happens to it to a log and runs until it is stopped. */
const steady = (log: string): string =>
  `echo "start $MOULT_VERSION \${MOULT_TRIAL-none} $MOULT_SUPERVISED $*" >>'${log}'
trap 'echo term >>"${log}"; kill $! 2>/dev/null; exit 0' TERM
while :; do sleep 1 & wait $!; done`

function run(
  t: TestContext,
  { home }: Machine,
  host: Host,
  given: Partial<SettingsFile> = {},
  args: string[] = [],
): Run {
  const overrides = { server: host.url, interval: '1s', probation: '300ms', retries: 0, ...given }
  const events: AgentEvent[] = []
  const stop = new AbortController()
  t.after(() => stop.abort())
  const ended = supervise({
    settings: settingsAt(home, host, overrides),
    overrides,
    args,
    onEvent: (event) => events.push(event),
    signal: stop.signal,
    env: { PATH: process.env['PATH'], MOULT_TRIAL: 'of another' },
  })
  ended.catch(() => undefined)
  return {
    events,
    log: join(home.path, '../log'),
    stop: () => stop.abort(),
    ended,
    count: (kind, version) =>
      events.filter(
        (event) => event.kind === kind && (version === undefined || ('version' in event && event.version === version)),
      ).length,
  }
}

async function setUp(
  t: TestContext,
  body?: (log: string) => string,
): Promise<{ host: Host; machine: Machine; log: string }> {
  const host = await startHost(t)
  const machine = await makeMachine(t, host)
  const log = join(machine.home.path, '../log')
  await adopt(machine.home, '1.0.0', (body ?? steady)(log))
  return { host, machine, log }
}

describe('the supervisor', { ...BOUNDED, concurrency: true }, () => {
  test('runs a program, updates it, confirms the new version and stops it on demand', async (t) => {
    const { host, machine, log } = await setUp(t)
    publish(host, { version: '1.0.1', artifact: program('1.0.1', steady(log)) })
    const { events, stop, ended, count } = run(t, machine, host, {}, ['--flag', 'two words'])
    await waitFor(() => count('confirmed', '1.0.1') === 1, `confirmed: ${JSON.stringify(events)}`)
    stop()
    assert.equal(await ended, 0)
    assert.deepEqual(fs.readFileSync(log, 'utf8').trim().split('\n'), [
      'start 1.0.0 none 1 --flag two words',
      'term',
      'start 1.0.1 1 1 --flag two words',
      'term',
    ])
    assert.equal(readLaunchRecord(machine.home.current)?.version, '1.0.1')
  })

  test('rolls back a version that crashes on trial, and quarantines it', async (t) => {
    const { host, machine, log } = await setUp(t)
    publish(host, { version: '1.0.1', artifact: program('1.0.1', 'exit 3') })
    const { stop, ended, count } = run(t, machine, host, { tries: 2 })
    await waitFor(() => count('rolled-back', '1.0.1') === 1, 'rolled back')
    assert.equal(count('program-started', '1.0.1'), 2)
    assert.equal(count('confirmed'), 0)
    await waitFor(() => fs.readFileSync(log, 'utf8').split('start 1.0.0').length === 3, '1.0.0 runs again')
    stop()
    await ended
    assert.deepEqual(readLaunchRecord(machine.home.current), { version: '1.0.0' })
  })

  test('does not take the pause after a crash for the health of a version on trial', async (t) => {
    const { host, machine } = await setUp(t)
    publish(host, { version: '1.0.1' })
    await adopt(machine.home, '1.0.1', 'exit 3')
    writeLaunchRecord(machine.home.disk, machine.home.current, {
      version: '1.0.1',
      previous: '1.0.0',
      trial: { started: 0, tries: 2 },
    })
    const { stop, ended, count } = run(t, machine, host, { probation: '50ms' })
    await waitFor(() => count('rolled-back', '1.0.1') === 1, 'rolled back')
    assert.equal(count('confirmed'), 0)
    stop()
    await ended
  })

  test('rolls back a version whose health fails', async (t) => {
    const { host, machine, log } = await setUp(t)
    publish(host, { version: '1.0.1', artifact: program('1.0.1', steady(log)) })
    const { stop, ended, count } = run(t, machine, host, { health: { command: ['false'] } })
    await waitFor(() => count('rolled-back', '1.0.1') === 1, 'rolled back')
    stop()
    await ended
    assert.deepEqual(readLaunchRecord(machine.home.current), { version: '1.0.0' })
  })

  test('brings its cure to a program that crashes in a loop as soon as it starts', async (t) => {
    const { host, machine, log } = await setUp(t, () => 'exit 1')
    const { stop, ended, count } = run(t, machine, host, { interval: '3s' })
    await waitFor(() => count('program-exited', '1.0.0') >= 2, 'crashes')
    publish(host, { version: '1.0.1', artifact: program('1.0.1', steady(log)) })
    await waitFor(() => count('confirmed', '1.0.1') === 1, 'the cure')
    stop()
    await ended
  })

  test('ends with the program when that ends well, and starts it again when not', async (t) => {
    const { host, machine, log } = await setUp(
      t,
      (path) => `echo x >>'${path}'; [ "$(grep -c x '${path}')" -lt 2 ] && exit 9; exit 0`,
    )
    const { ended, count } = run(t, machine, host, { interval: '1h' })
    assert.equal(await ended, 0)
    assert.equal(fs.readFileSync(log, 'utf8'), 'x\nx\n')
    assert.equal(count('program-exited'), 2)
  })

  test('kills a program that does not stop in time', async (t) => {
    const { host, machine, log } = await setUp(
      t,
      (path) => `trap '' TERM; echo start >>'${path}'; while :; do sleep 0.1; done`,
    )
    const { stop, ended, events } = run(t, machine, host, { stopTimeout: '300ms', interval: '1h' })
    await waitFor(() => fs.existsSync(log), 'started')
    stop()
    assert.equal(await ended, 0)
    assert.deepEqual(
      events.filter((event) => event.kind === 'program-exited').map(({ status }) => status),
      ['SIGKILL'],
    )
  })

  test('case 77: lets a program finish for as long as it may, also for an update', async (t) => {
    const finishes = (log: string): string =>
      `echo "start $MOULT_VERSION" >>'${log}'
trap 'sleep 2; echo finished >>"${log}"; exit 0' TERM
while :; do sleep 0.05; done`
    const { host, machine, log } = await setUp(t, finishes)
    publish(host, { version: '1.0.1', artifact: program('1.0.1', finishes(log)) })
    const { stop, ended, count } = run(t, machine, host, { stopTimeout: '60s' })
    await waitFor(() => count('confirmed', '1.0.1') === 1, 'confirmed')
    stop()
    await ended
    assert.deepEqual(fs.readFileSync(log, 'utf8').trim().split('\n'), [
      'start 1.0.0',
      'finished',
      'start 1.0.1',
      'finished',
    ])
  })

  test('case 77: kills one that does not end for an update, and only then starts the new version', async (t) => {
    const stubborn = (log: string): string =>
      `trap '' TERM; echo "start $MOULT_VERSION" >>'${log}'; while :; do sleep 0.05; done`
    const { host, machine, log } = await setUp(t, stubborn)
    publish(host, { version: '1.0.1', artifact: program('1.0.1', steady(log)) })
    const { stop, ended, count, events } = run(t, machine, host, { stopTimeout: '300ms' })
    await waitFor(() => count('confirmed', '1.0.1') === 1, 'confirmed')
    const order = events.flatMap((event) =>
      event.kind === 'program-started' || event.kind === 'program-exited' ? `${event.kind} ${event.version}` : [],
    )
    assert.deepEqual(order.slice(0, 3), ['program-started 1.0.0', 'program-exited 1.0.0', 'program-started 1.0.1'])
    assert.ok(events.some((event) => event.kind === 'program-exited' && event.status === 'SIGKILL'))
    stop()
    await ended
  })

  test('hands on nothing that a launcher above it has said of itself', async (t) => {
    const { host, machine, log } = await setUp(
      t,
      (path) => `env | grep -E '^(MOULT_|APP_)' | sort >'${path}.new'; mv '${path}.new' '${path}'; exec sleep 1000`,
    )
    const told = {
      MOULT_LAUNCHER: '1',
      MOULT_LAUNCH: 'stay',
      MOULT_TRIAL: '2',
      MOULT_HOME: '/opt/moult',
      MOULT_VERSION: '9',
    }
    const stop = new AbortController()
    const ended = supervise({
      settings: settingsAt(machine.home, host, { interval: '1h' }),
      overrides: { interval: '1h' },
      args: [],
      onEvent: () => undefined,
      signal: stop.signal,
      env: { ...told, PATH: process.env['PATH'], APP_MODE: 'plain', MOULT_MINE: 'of the program' },
    })
    await waitFor(() => fs.existsSync(log), 'started')
    stop.abort()
    await ended
    assert.deepEqual(fs.readFileSync(log, 'utf8').trim().split('\n'), [
      'APP_MODE=plain',
      `MOULT_HOME=${machine.home.path}`,
      'MOULT_MINE=of the program',
      'MOULT_SUPERVISED=1',
      'MOULT_VERSION=1.0.0',
    ])
  })

  test('takes a start that the system refuses at once for a crash', async (t) => {
    const { host, machine } = await setUp(t)
    // Longer than any kernel lets one argument be.
    const { stop, ended, count, events } = run(t, machine, host, { interval: '1h' }, ['x'.repeat(4_000_000)])
    await waitFor(() => count('program-exited', '1.0.0') === 2, 'the second try')
    stop()
    assert.equal(await ended, 0)
    assert.deepEqual(
      events.filter((event) => event.kind === 'program-exited').map(({ status }) => status),
      ['status 127', 'status 127'],
    )
    assert.ok(events.some((event) => event.kind === 'warning' && event.message.includes('E2BIG')))
  })

  test('falls back when the program cannot be started, and says so when nothing can', async (t) => {
    const { host, machine } = await setUp(t)
    await adopt(machine.home, '1.0.1')
    fs.rmSync(join(machine.home.versions, '1.0.1/heartbeat-agent'))
    const { stop, ended, count, events } = run(t, machine, host, { interval: '1h' })
    await waitFor(() => count('program-started', '1.0.0') === 1, 'fallback')
    assert.ok(events.some((event) => event.kind === 'warning'))
    stop()
    await ended
    fs.rmSync(machine.home.versions, { recursive: true })
    await assert.rejects(run(t, machine, host).ended, { code: 'ERR_HOME_INVALID' })
  })
})
