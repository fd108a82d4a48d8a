import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { readLaunchRecord, writeLaunchRecord } from '../../agent/home/launch-record.ts'
import { prepareLaunch } from '../../agent/trial/launch.ts'
import { loadState } from '../../agent/home/state.ts'
import { Updater } from '../../agent/updater.ts'
import { startAgentProcess, works } from './agent-process.ts'
import { adopt, BOUNDED, makeMachine, type Machine, mountTmpfs, NOW, publish, startHost, waitFor } from './field.ts'

/** The machine with 1.0.1 on its first try. */
async function onTrial(t: TestContext): Promise<Machine> {
  const host = await startHost(t)
  publish(host, { version: '1.0.1' })
  const machine = await makeMachine(t, host)
  await machine.poll()
  assert.equal(prepareLaunch(machine.home, assert.fail).trial, 1)
  return machine
}

describe('the updater inside an agent', { ...BOUNDED, concurrency: 4 }, () => {
  test('updates, lets the agent finish, and exits with 100', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    const agent = startAgentProcess(t, machine, {
      version: '1.0.0',
      options: "beforeRestart: () => console.log('drained'),",
    })
    assert.equal((await agent.ended).code, 100)
    assert.ok(agent.has(/"kind":"swapped"/) && agent.has(/drained/))
    assert.equal(readLaunchRecord(machine.home.current)?.version, '1.0.1')
  })

  test('confirms a version that stays up and has polled, and goes on polling', async (t) => {
    const machine = await onTrial(t)
    const agent = startAgentProcess(t, machine, { version: '1.0.1' })
    await waitFor(() => agent.has(/"kind":"confirmed"/), 'confirmed')
    assert.deepEqual(readLaunchRecord(machine.home.current), { version: '1.0.1', previous: '1.0.0' })
    await waitFor(() => agent.lines.filter((line) => line.includes('"kind":"checked"')).length >= 3, 'further polls')
  })

  test('polls again soon on trial, however long the host asks it to wait', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    await machine.poll()
    prepareLaunch(machine.home, assert.fail)
    host.drain()
    host.answer('version.json', (_, response) => void response.writeHead(503, { 'retry-after': '3600' }).end())
    const agent = startAgentProcess(t, machine, { version: '1.0.1' })
    await waitFor(() => host.requests.length >= 3, 'three polls')
    publish(host, { version: '1.0.1' })
    await waitFor(() => agent.has(/"kind":"confirmed"/), 'confirmed')
  })

  test('takes settings that become readable later', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    fs.writeFileSync(machine.home.config, '{"interval": "5')
    const agent = startAgentProcess(t, machine, { version: '1.0.0' })
    await waitFor(() => agent.has(/ERR_CONFIG_INVALID/), 'the half-written file is reported')
    fs.writeFileSync(machine.home.config, '{"interval": "5m"}')
    assert.equal((await agent.ended).code, 100)
  })

  for (const [name, health] of Object.entries({
    fails: 'health: () => false,',
    throws: "health: () => { throw new Error('sick') },",
    rejects: "health: async () => { throw new Error('sick') },",
    'says something else than true': "health: () => 'yes',",
  })) {
    test(`rolls back and exits with 100 when health ${name}`, async (t) => {
      const machine = await onTrial(t)
      const agent = startAgentProcess(t, machine, { version: '1.0.1', options: health })
      assert.equal((await agent.ended).code, 100)
      assert.deepEqual(readLaunchRecord(machine.home.current), {
        version: '1.0.0',
        failed: { version: '1.0.1', reason: 'health' },
      })
      const next = startAgentProcess(t, machine, { version: '1.0.0' })
      await waitFor(() => next.has(/"kind":"rolled-back"/) && next.has(/quarantined/), 'quarantined')
      assert.equal(loadState(machine.home, machine.settings.root, assert.fail).quarantine[0]?.version, '1.0.1')
    })
  }

  test('rolls back a version that cannot fetch the manifest, however healthy', async (t) => {
    const machine = await onTrial(t)
    const agent = startAgentProcess(t, machine, {
      version: '1.0.1',
      settings: { server: 'http://127.0.0.1:1/', probationDeadline: '2s' },
    })
    assert.equal((await agent.ended).code, 100)
    assert.deepEqual(readLaunchRecord(machine.home.current)?.failed, { version: '1.0.1', reason: 'no-verified-poll' })
  })

  test('rolls back a version that cannot read the settings of the one before it', async (t) => {
    const machine = await onTrial(t)
    const agent = startAgentProcess(t, machine, { version: '1.0.1', settings: { setting_of_yesterday: 1 } })
    assert.equal((await agent.ended).code, 100)
    assert.ok(agent.has(/ERR_CONFIG_INVALID/))
    assert.deepEqual(readLaunchRecord(machine.home.current)?.failed, { version: '1.0.1', reason: 'settings' })
  })

  test('does not install a further update during a trial, but after it', async (t) => {
    const machine = await onTrial(t)
    const host = await startHost(t)
    publish(host, { version: '1.0.2', sequence: 30 })
    const agent = startAgentProcess(t, machine, { version: '1.0.1', settings: { server: host.url } })
    assert.equal((await agent.ended).code, 100)
    const order = agent.lines.flatMap((line) => /"kind":"(confirmed|swapped)"/.exec(line)?.[1] ?? [])
    assert.deepEqual(order, ['confirmed', 'swapped'])
    assert.equal(readLaunchRecord(machine.home.current)?.previous, '1.0.1')
  })

  test('lets a version on trial go on that has nothing to go back to', async (t) => {
    const machine = await onTrial(t)
    writeLaunchRecord(machine.home.disk, machine.home.current, { version: '1.0.1', trial: { started: 1, tries: 3 } })
    fs.rmSync(machine.home.confirmed)
    const agent = startAgentProcess(t, machine, { version: '1.0.1', options: 'health: () => false,' })
    await waitFor(() => agent.has(/no other to go back to/), 'the warning')
    await works(agent)
  })

  test('keeps the agent at work whatever is wrong with the home, and goes on when it is right again', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const breaks: [name: string, broken: (machine: Machine) => () => void][] = [
      ['no pinned root', ({ home }) => (fs.rmSync(home.root), () => undefined)],
      ['a pinned root that is none', ({ home }) => (fs.writeFileSync(home.root, '{'), () => undefined)],
      [
        'an open staging directory',
        ({ home }) => (fs.chmodSync(home.staging, 0o777), () => fs.chmodSync(home.staging, 0o700)),
      ],
      [
        'a lock that is held',
        ({ home }) => {
          const token = `${process.ppid}-unknown`
          fs.mkdirSync(home.lock)
          fs.writeFileSync(join(home.lock, token), '')
          return () => fs.renameSync(join(home.lock, token), join(home.lock, 'free'))
        },
      ],
      ['a home that is gone', ({ home }) => (fs.renameSync(home.path, `${home.path}-x`), () => undefined)],
    ]
    await Promise.all(
      breaks.map(async ([name, broken]) => {
        const machine = await makeMachine(t, host)
        const mend = broken(machine)
        const agent = startAgentProcess(t, machine, { version: '1.0.0' })
        await waitFor(() => agent.has(/"kind":"check-failed"/), `${name}: an event`)
        await works(agent)
        assert.equal(agent.child.exitCode, null, name)
        mend()
        if (/staging|lock/.test(name)) assert.equal((await agent.ended).code, 100, name)
      }),
    )
  })

  test('keeps the agent at work when a confirmation cannot be written, and confirms later', async (t) => {
    const mounted = mountTmpfs(t, '40m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host, {}, join(mounted, 'home'))
    await machine.poll()
    prepareLaunch(machine.home, assert.fail)
    const { bavail, bsize } = fs.statfsSync(mounted)
    fs.writeFileSync(join(mounted, 'filler'), Buffer.alloc(bavail * bsize))
    const agent = startAgentProcess(t, machine, { version: '1.0.1' })
    await waitFor(() => agent.has(/ERR_STAGE_SPACE/), 'the full disk is reported')
    await works(agent)
    fs.rmSync(join(mounted, 'filler'))
    await waitFor(() => agent.has(/"kind":"confirmed"/), 'confirmed')
  })

  test('is off without a home or a version, under a supervisor, and when the settings say so', async (t) => {
    const host = await startHost(t)
    const { home } = await makeMachine(t, host)
    for (const [options, reason] of [
      [{ env: {} }, /no home directory/],
      [{ env: { MOULT_SUPERVISED: '1' }, home: home.path }, /supervisor/],
      [{ env: {}, home: home.path, version: 'v1.0\n' }, /no version of Semantic Versioning/],
      [{ env: { UPDATE_ENABLED: 'false', UPDATE_SERVER: host.url, MOULT_HOME: home.path } }, /switched off/],
      [{ env: { UPDATE_MODE: 'disabled', UPDATE_SERVER: host.url, MOULT_HOME: home.path } }, /switched off/],
    ] as const) {
      const events: unknown[] = []
      const updater = new Updater({ version: '1.0.0', onEvent: (event) => events.push(event), ...options })
      updater.start()
      await updater.stop()
      assert.match(JSON.stringify(events), reason)
    }
    assert.deepEqual(host.requests, [])
  })

  test('stops at once in every wait, and does not mind a listener that throws', async (t) => {
    const host = await startHost(t)
    host.answer('version.json', () => undefined)
    const { home } = await makeMachine(t, host)
    for (const firstPollMs of [0, 600_000]) {
      const updater = new Updater({
        version: '1.0.0',
        home: home.path,
        env: {},
        settings: { server: host.url },
        firstPollMs,
        onEvent: () => {
          throw new Error('mine')
        },
      })
      updater.start()
      if (firstPollMs === 0) await waitFor(() => host.requests.length > 0, 'a poll')
      await updater.stop()
    }
  })

  test('stops at once while a confirmation waits for its next attempt', async (t) => {
    const machine = await onTrial(t)
    fs.mkdirSync(join(machine.home.path, 'confirmed.new/x'), { recursive: true })
    const seen: string[] = []
    const updater = new Updater({
      version: '1.0.1',
      home: machine.home.path,
      env: {},
      settings: { server: machine.settings.url.href, interval: '1h', probation: '50ms' },
      firstPollMs: 0,
      clock: () => NOW,
      onEvent: ({ kind }) => seen.push(kind),
      random: () => 0,
    })
    updater.start()
    await waitFor(() => seen.includes('check-failed'), 'the confirmation fails')
    await updater.stop()
    assert.equal(seen.includes('confirmed'), false)
  })

  test('ends the check that is under way before a restart: its lock would pass for one of the next version', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, poll } = await makeMachine(t, host)
    await poll()
    assert.equal(prepareLaunch(home, assert.fail).trial, 1)
    const tokens = await new Promise<string[]>((resolve) => {
      const updater = new Updater({
        version: '1.0.1',
        home: home.path,
        env: {},
        settings: { server: host.url, deployment: 'vm', interval: '1s', probation: '300ms', retries: 0 },
        firstPollMs: 0,
        clock: () => NOW,
        random: () => 0,
        health: () => false,
        beforeRestart: () => new Promise((asked) => host.answer('version.json', () => asked())),
        restart: () => resolve(fs.readdirSync(home.lock)),
      })
      updater.start()
      t.after(() => updater.stop())
      // The updater alone keeps no process alive.
      const alive = setInterval(() => updater.checkNow(), 50)
      t.after(() => clearInterval(alive))
    })
    assert.deepEqual(tokens, ['free'])
  })

  test('polls at once when asked to', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0' })
    const { home } = await makeMachine(t, host)
    await adopt(home, '0.9.0')
    const events: string[] = []
    const updater = new Updater({
      version: '0.9.0',
      home: home.path,
      env: {},
      settings: { server: host.url, interval: '1h' },
      firstPollMs: 3_600_000,
      clock: () => NOW,
      restart: () => undefined,
      onEvent: ({ kind }) => events.push(kind),
    })
    updater.start()
    await waitFor(() => events.includes('started'), 'started')
    await new Promise((resolve) => setImmediate(resolve))
    updater.checkNow()
    await waitFor(() => events.includes('swapped'), 'swapped')
    await updater.stop()
  })
})
