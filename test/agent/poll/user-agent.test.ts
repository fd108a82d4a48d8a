import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test, type TestContext } from 'node:test'

import { checkOnce } from '../../../agent/check-once.ts'
import { MOULT_VERSION } from '../../../agent/moult-version.ts'
import { withAgentId } from '../../../agent/poll/agent-id.ts'
import { agentStatus } from '../../../agent/report/agent-status.ts'
import { prepareLaunch } from '../../../agent/trial/launch.ts'
import type { SettingsFile } from '../../../agent/settings/settings-file.ts'
import { supervise } from '../../../agent/supervise.ts'
import { updateRunning } from '../../../agent/update-running.ts'
import { withLock } from '../../../agent/home/lock.ts'
import { writeLaunchRecord } from '../../../agent/home/launch-record.ts'
import { startServer } from '../../../local-server/index.ts'
import { type Beacon, beaconIdOf, formatDate, parseBeacon, readRoot } from '../../../manifests/index.ts'
import { makeRoot } from '../../fixtures/signed-manifest.ts'
import { startAgentProcess } from '../agent-process.ts'
import {
  adopt,
  BOUNDED,
  failureOf,
  type Host,
  laterBy,
  makeDir,
  makeMachine,
  type Machine,
  manifestOf,
  NAME,
  NOW,
  PLATFORM,
  program,
  publish,
  settingsAt,
  startHost,
  waitFor,
} from '../field.ts'
import { startPoll } from '../poll-process.ts'

const SHORT = new RegExp(`^${NAME}/1\\.0\\.[01] \\(${PLATFORM}; stable\\) moult/${MOULT_VERSION}$`)

interface Field {
  readonly host: Host
  readonly machine: Machine
  /** One check by a command, some time from now. */
  readonly check: (laterMs?: number, given?: Partial<SettingsFile>) => Promise<unknown>
  /** What the polls since the last call have said. */
  readonly said: () => Beacon[]
}

async function makeField(t: TestContext, own: Partial<SettingsFile> = { id: 'agent-1' }): Promise<Field> {
  const host = await startHost(t)
  publish(host, { version: '1.0.0' })
  const machine = await makeMachine(t, host, own)
  let seen = 0
  return {
    host,
    machine,
    check: (laterMs = 0, given = {}) =>
      checkOnce(
        settingsAt(machine.home, host, { ...own, ...given }),
        { apply: true },
        { ...machine.deps, ...laterBy(laterMs) },
      ),
    said: () => {
      const texts = host.headers.flatMap((headers, index) =>
        index >= seen && host.requests[index] === 'version.json' ? [headers['user-agent'] ?? ''] : [],
      )
      seen = host.headers.length
      return texts.map((text) => parseBeacon(text) ?? assert.fail(`no beacon: ${text}`))
    },
  }
}

/** `<version> <state> [<error>] [<events>]` of each. */
const lines = (beacons: readonly Beacon[]): string[] =>
  beacons.map(({ version, state, error, events }) => {
    const told = events.map(({ kind, version: of, detail }) => `${kind}/${of}/${kind === 'updated' ? 's' : detail}`)
    return [version, state, error, ...told].filter((text) => text !== undefined).join(' ')
  })

const stage = (percent: number) => ({
  manifest: { rollout: { stages: [{ at: formatDate(NOW - 60_000), percent }] } },
})

describe('what a poll says', { ...BOUNDED, concurrency: 4 }, () => {
  test('is who polls, in which state, and once an update is confirmed, that, in two answered polls', async (t) => {
    const { host, machine, check, said } = await makeField(t)
    await check()
    const [first] = said()
    const id = beaconIdOf(NAME, 'agent-1')
    assert.deepEqual(first, {
      name: NAME,
      version: '1.0.0',
      platform: PLATFORM,
      channel: 'stable',
      id,
      state: 'confirmed',
      events: [],
      updater: MOULT_VERSION,
    })
    assert.equal(agentStatus(machine.settings).beacon, id)
    publish(host, { version: '1.0.1', sequence: 11, ...stage(0) })
    await check()
    await check(1000)
    assert.deepEqual(lines(said()), ['1.0.0 confirmed', '1.0.0 waiting'])
    publish(host, { version: '1.0.1', sequence: 12, ...stage(100) })
    host.headers.length = host.requests.length = 0
    await check(2000)
    assert.deepEqual(host.requests, ['version.json', '1.0.1.bin'])
    const [poll = '', download = ''] = host.headers.map((headers) => headers['user-agent'])
    assert.equal(parseBeacon(poll)?.state, 'waiting')
    assert.match(download, SHORT)
    host.headers.length = host.requests.length = 0
    said()
    // In place, but not started: what runs is the one before.
    await check(3000)
    assert.deepEqual(lines(said()), ['1.0.0 confirmed'])
    prepareLaunch(machine.home, assert.fail)
    await check(10_000)
    await check(300_000)
    assert.deepEqual(lines(said()), ['1.0.1 trial', '1.0.1 trial'])
    for (const laterMs of [310_000, 320_000, 330_000]) await check(laterMs)
    const polls = said()
    assert.deepEqual(lines(polls), [
      '1.0.1 confirmed updated/1.0.1/s',
      '1.0.1 confirmed updated/1.0.1/s',
      '1.0.1 confirmed',
    ])
    const [event, again] = polls.map(({ events }) => events[0])
    assert.deepEqual(event, again)
    // From the first decision to wait with it, 300 seconds before the confirmation.
    const seconds = Number(event?.detail)
    assert.ok(seconds >= 300 && seconds < 360, String(seconds))
  })

  test('is said again until two answers came: over an outage, and to a host that answers with something else', async (t) => {
    const { host, machine, check, said } = await makeField(t)
    publish(host, { version: '1.0.1', sequence: 11 })
    await check()
    prepareLaunch(machine.home, assert.fail)
    await check(61_000)
    said()
    for (const answer of ['500', '500', '<html>sign in</html>']) {
      host.answer('version.json', (_, response) => void response.writeHead(answer === '500' ? 500 : 200).end(answer))
      await failureOf(() => check(70_000))
    }
    publish(host, { version: '1.0.1', sequence: 11 })
    for (let round = 0; round < 3; round += 1) await check(80_000)
    const event = 'updated/1.0.1/s'
    assert.deepEqual(lines(said()), [
      `1.0.1 confirmed ${event}`,
      `1.0.1 failed NETWORK_STATUS ${event}`,
      `1.0.1 failed NETWORK_STATUS ${event}`,
      `1.0.1 failed MANIFEST_SYNTAX ${event}`,
      `1.0.1 confirmed ${event}`,
      '1.0.1 confirmed',
    ])
  })

  test('is said once more by an agent that was killed between the answer and its note of it', async (t) => {
    const { host, machine, check, said } = await makeField(t, {})
    publish(host, { version: '1.0.1', sequence: 11 })
    await check()
    prepareLaunch(machine.home, assert.fail)
    await check(61_000)
    said()
    const inside = `
      const { disk } = await import(${JSON.stringify(import.meta.resolve('../../../agent/home/disk.ts'))})
      const writeFile = (path, ...rest) => {
        if (path.endsWith('beacon.json.new')) process.kill(process.pid, 'SIGKILL')
        disk.writeFile(path, ...rest)
      }
      Object.assign(settings, { home: { ...settings.home, disk: { ...disk, writeFile } } })`
    const killed = startPoll(t, { home: machine.home.path, server: host.url, inside })
    assert.equal(await killed.outcome, '')
    assert.equal(killed.child.signalCode, 'SIGKILL')
    for (let round = 0; round < 3; round += 1) await check(80_000)
    const polls = said()
    assert.deepEqual(
      polls.map(({ events }) => events.length),
      [1, 1, 1, 0],
    )
    assert.equal(new Set(polls.flatMap(({ events }) => events.map(({ n }) => n))).size, 1)
  })

  test('is the rollback that the launcher has made, with its reason', async (t) => {
    const { host, machine, check, said } = await makeField(t)
    publish(host, { version: '1.0.1', sequence: 11 })
    await check()
    for (let start = 0; start < 4; start += 1) prepareLaunch(machine.home, () => undefined)
    said()
    for (let round = 0; round < 3; round += 1) await check(10_000)
    assert.deepEqual(lines(said()), [
      '1.0.0 rolled-back rolled-back/1.0.1/tries',
      '1.0.0 rolled-back rolled-back/1.0.1/tries',
      '1.0.0 rolled-back',
    ])
    publish(host, { version: '1.0.2', sequence: 12 })
    await check(20_000)
    prepareLaunch(machine.home, assert.fail)
    await check(100_000)
    await check(110_000)
    const [, , after] = said()
    assert.equal(after?.state, 'confirmed')
  })

  test('is the code of an update that cannot be made, once for each, and while it lasts in the state', async (t) => {
    const { host, check, said } = await makeField(t)
    publish(host, { version: '1.0.1', sequence: 11 })
    host.serve('1.0.1.bin', program('6.6.6'))
    for (let round = 0; round < 4; round += 1)
      assert.equal((await failureOf(() => check(10_000))).code, 'ERR_BYTES_HASH')
    assert.deepEqual(lines(said()), [
      '1.0.0 confirmed',
      '1.0.0 failed BYTES_HASH failed/1.0.1/BYTES_HASH',
      '1.0.0 failed BYTES_HASH failed/1.0.1/BYTES_HASH',
      '1.0.0 failed BYTES_HASH',
    ])
    publish(host, { version: '1.0.1', sequence: 12, artifact: Buffer.from('#!/bin/sh\nexit 3\n') })
    assert.equal((await failureOf(() => check(20_000))).code, 'ERR_STAGE_PREFLIGHT')
    await check(30_000).catch(() => undefined)
    await check(40_000).catch(() => undefined)
    await check(50_000).catch(() => undefined)
    assert.deepEqual(lines(said()), [
      '1.0.0 failed BYTES_HASH',
      '1.0.0 failed STAGE_PREFLIGHT failed/1.0.1/STAGE_PREFLIGHT',
      '1.0.0 rolled-back failed/1.0.1/STAGE_PREFLIGHT',
      '1.0.0 rolled-back',
    ])
  })

  test('is nothing of this where the owner of the machine has switched it off', async (t) => {
    const { host, machine, check } = await makeField(t, { id: 'agent-1', beacon: false })
    publish(host, { version: '1.0.1', sequence: 11 })
    await check()
    prepareLaunch(machine.home, assert.fail)
    await check(61_000)
    await check(70_000)
    assert.equal(host.headers.length, 4)
    for (const headers of host.headers) assert.match(headers['user-agent'] ?? '', SHORT)
    assert.equal(fs.existsSync(machine.home.beacon), false)
    assert.equal(agentStatus(machine.settings).beacon, undefined)
  })

  test('is an id that stays, that clones do not share, and that links no two products', async (t) => {
    const { check, said } = await makeField(t, {})
    for (let round = 0; round < 3; round += 1) await check()
    // One that is random is said once it is kept.
    const [first, second, third] = said().map(({ id }) => id)
    assert.match(second ?? '', /^[0-9a-f]{16}$/)
    assert.equal(second, third)
    assert.ok(first === undefined || first === second)

    const fresh = { root: readRoot(makeRoot()), floors: {}, timeFloorMs: 0, quarantine: [] }
    const machineId = '0123456789abcdef0123456789abcdef'
    const idOf = (name: string, hostName: string): string =>
      beaconIdOf(name, withAgentId(name, fresh, { machineId, hostName }).id)
    const ids = [idOf('one', 'web-001'), idOf('one', 'web-002'), idOf('other', 'web-001')]
    assert.equal(new Set(ids).size, 3)
    for (const id of ids)
      assert.equal(id.includes(withAgentId('one', fresh, { machineId, hostName: 'web-001' }).id.slice(0, 16)), false)
  })

  test('is what the program that asks is, where another version waits for its start', async (t) => {
    const { host, machine, said } = await makeField(t)
    publish(host, { version: '1.0.1', sequence: 11 })
    await machine.poll()
    const running = { version: '1.0.0', isLaunched: true, isOnTrial: false, isReplaced: true }
    await withLock(machine.home, () => updateRunning(machine.settings, running, machine.deps))
    assert.deepEqual(lines(said()), ['1.0.0 confirmed', '1.0.0 confirmed'])
    // Started past the launcher, from where it was installed once.
    const { disk, current } = machine.home
    writeLaunchRecord(disk, current, { version: '1.0.1', previous: '1.0.0' })
    const astray = { ...running, isLaunched: false, isReplaced: false }
    await withLock(machine.home, () => updateRunning(machine.settings, astray, machine.deps))
    assert.deepEqual(lines(said()), ['1.0.0 confirmed'])
  })

  test('is that an update came, also when others have brought it', async (t) => {
    const { host, machine, said } = await makeField(t, { id: 'agent-1', mode: 'signal-only' })
    publish(host, { version: '1.0.1', sequence: 11 })
    const poll = (version: string) =>
      startAgentProcess(t, machine, { version, settings: { id: 'agent-1', mode: 'signal-only' } })
    const old = poll('1.0.0')
    await old.line(/"kind":"update-available"/)
    old.child.kill('SIGKILL')
    await old.ended
    said()
    const fresh = poll('1.0.1')
    await waitFor(() => fresh.lines.filter((line) => line.includes('"kind":"checked"')).length >= 3, 'three polls')
    assert.deepEqual(lines(said()).slice(0, 3), [
      '1.0.1 confirmed updated/1.0.1/s',
      '1.0.1 confirmed updated/1.0.1/s',
      '1.0.1 confirmed',
    ])
  })
})

describe('what programs say that keep themselves up to date', { ...BOUNDED, concurrency: 4 }, () => {
  test('an embedded updater: an update, its trial, and two polls that tell of it', async (t) => {
    const { host, machine, said } = await makeField(t)
    publish(host, { version: '1.0.1', sequence: 11 })
    const settings = { id: 'agent-1' }
    const old = startAgentProcess(t, machine, { settings })
    assert.equal((await old.ended).code, 100)
    assert.deepEqual(lines(said()), ['1.0.0 confirmed'])
    prepareLaunch(machine.home, assert.fail)
    const fresh = startAgentProcess(t, machine, { version: '1.0.1', settings })
    await fresh.line(/"kind":"confirmed"/)
    const polled = (): number => fresh.lines.filter((line) => line.includes('"kind":"checked"')).length
    const before = polled()
    await waitFor(() => polled() >= before + 4, 'four more polls')
    fresh.child.kill('SIGKILL')
    const told = lines(said())
    assert.ok(told.length > 4 && told[0] === '1.0.1 trial', told.join('\n'))
    assert.equal(told.filter((line) => line === '1.0.1 confirmed updated/1.0.1/s').length, 2, told.join('\n'))
    assert.equal(told.at(-1), '1.0.1 confirmed')
  })

  test('a supervisor: the version that crashed on trial', async (t) => {
    const { host, machine, said } = await makeField(t)
    publish(host, { version: '1.0.1', sequence: 11, artifact: program('1.0.1', 'exit 1') })
    await adopt(machine.home, '0.9.0', 'while :; do sleep 1; done')
    await machine.poll()
    const overrides = { server: host.url, id: 'agent-1', interval: '1s', probation: '1m', tries: 1, retries: 0 }
    const stop = new AbortController()
    t.after(() => stop.abort())
    const ended = supervise({
      settings: settingsAt(machine.home, host, overrides),
      overrides: { ...overrides, deployment: 'vm' },
      args: [],
      onEvent: () => undefined,
      signal: stop.signal,
      env: { PATH: process.env['PATH'] },
    })
    const heard: string[] = []
    const isTold = (): boolean => {
      heard.push(...lines(said()))
      return heard.filter((line) => line === '0.9.0 rolled-back rolled-back/1.0.1/tries').length === 2
    }
    await waitFor(isTold, `the rollback among\n${heard.join('\n')}`)
    stop.abort()
    await ended
  })

  test('the access log of the local server holds it as it was said', async (t) => {
    const dir = makeDir(t)
    fs.writeFileSync(`${dir}/version.json`, manifestOf({ version: '1.0.0' }))
    const log: string[] = []
    const server = await startServer({ dir, port: 0, log: (line) => log.push(line) })
    t.after(() => server.close(0))
    const machine = await makeMachine(t, server, { id: 'agent-1' })
    await checkOnce(machine.settings, { apply: true }, machine.deps)
    await waitFor(() => log.length === 1, 'a line')
    const text = `${NAME}/1.0.0 (${PLATFORM}; stable; id=${beaconIdOf(NAME, 'agent-1')}; st=confirmed) moult/${MOULT_VERSION}`
    assert.ok(log[0]?.endsWith(` "-" "${text}"`), log[0])
  })
})
