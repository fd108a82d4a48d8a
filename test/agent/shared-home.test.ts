// More than one updater on a home, and an updater that is told to stop at the wrong moment.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import type { AgentEvent } from '../../agent/events/events.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { prepareLaunch } from '../../agent/trial/launch.ts'
import { settle } from '../../agent/trial/settle.ts'
import { Updater } from '../../agent/updater.ts'
import { isMoultError, sha256 } from '../../manifests/index.ts'
import {
  artifactOf,
  assertTidy,
  failureOf,
  type Host,
  makeMachine,
  type Machine,
  manifestOf,
  NOW,
  type Offer,
  program,
  publish,
  startHost,
  waitFor,
  whatRuns,
} from './field.ts'
import { randomFrom } from '../fuzz/random.ts'
import { startPoll, stuckAt } from './poll-process.ts'
import { archive } from './tar-bytes.ts'

const NEXT: Offer = { version: '1.0.1', sequence: 10 }
const SEED = 20261121

/** Holds the answers of one path back until they are let go. */
function hold(host: Host, path: string): { readonly asked: () => number; readonly letGo: () => void } {
  const sound = host.answers.get(path)
  assert.ok(sound !== undefined)
  const held: (() => void)[] = []
  let asked = 0
  let isHeld = true
  host.answer(path, (request, response) => {
    asked += 1
    if (isHeld) held.push(() => sound(request, response))
    else sound(request, response)
  })
  return {
    asked: () => asked,
    letGo: () => {
      isHeld = false
      for (const answer of held.splice(0)) answer()
    },
  }
}

function startUpdater({ home }: Machine, host: Host, version: string) {
  const events: AgentEvent[] = []
  let restarts = 0
  const updater = new Updater({
    version,
    home: home.path,
    env: {},
    settings: { server: host.url, interval: '1s', retries: 0 },
    firstPollMs: 0,
    clock: () => NOW,
    random: () => 0,
    restart: () => void (restarts += 1),
    onEvent: (event) => events.push(event),
  })
  updater.start()
  return { updater, events, restarts: () => restarts }
}

const isHeldBack = (event: AgentEvent): boolean =>
  event.kind === 'check-failed' && isMoultError(event.error) && event.error.code === 'ERR_LOCK_HELD'

describe('a home', { timeout: 240_000, concurrency: 4 }, () => {
  test('case 76: that two agents share is updated once: the second is refused while the first is at it', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home } = await makeMachine(t, host)
    const manifest = hold(host, 'version.json')
    const options = { home: home.path, server: host.url }
    const first = startPoll(t, options)
    await waitFor(() => manifest.asked() === 1, 'the first agent polls')
    assert.match(await startPoll(t, options).outcome, /^ERR_LOCK_HELD another updater is at work: process [0-9]+$/)
    manifest.letGo()
    assert.equal(await first.outcome, 'swapped')
    assert.deepEqual(host.drain(), ['version.json', '1.0.1.bin'])
    assert.deepEqual(readLaunchRecord(home.current), {
      version: '1.0.1',
      previous: '1.0.0',
      trial: { started: 0, tries: 3 },
    })
    assertTidy(home)
    // The twin: one after the other there is nothing to wait for, and nothing left to do.
    assert.equal(await startPoll(t, options).outcome, 'up-to-date')
  })

  test('case 76: is updated once by two updaters of one process, and both start what is new', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', sequence: 9 })
    const machine = await makeMachine(t, host)
    const both = [startUpdater(machine, host, '1.0.0'), startUpdater(machine, host, '1.0.0')]
    await waitFor(() => both.every(({ events }) => events.some(({ kind }) => kind === 'started')), 'both are started')
    host.serve('1.0.1.bin', artifactOf(NEXT))
    const artifact = hold(host, '1.0.1.bin')
    host.serve('version.json', manifestOf(NEXT))
    await waitFor(() => artifact.asked() === 1, 'one downloads')
    const isRefused = (): boolean =>
      both.some(({ events }) => isHeldBack(events.at(-1) ?? { kind: 'warning', message: '' }))
    await waitFor(isRefused, 'the other is refused')
    assert.ok(both.every(({ restarts }) => restarts() === 0))
    artifact.letGo()
    await waitFor(() => both.every(({ restarts }) => restarts() === 1), 'both restart')
    await Promise.all(both.map(({ updater }) => updater.stop()))
    assert.equal(artifact.asked(), 1)
    assert.deepEqual(readLaunchRecord(machine.home.current)?.trial, { started: 0, tries: 3 })
    assertTidy(machine.home)
  })

  test('case 76: is not updated again by a command while an updater inside the agent is at it', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const machine = await makeMachine(t, host)
    const artifact = hold(host, '1.0.1.bin')
    const { updater, restarts } = startUpdater(machine, host, '1.0.0')
    await waitFor(() => artifact.asked() === 1, 'the download')
    const error = await failureOf(() => machine.poll())
    assert.equal(error.code, 'ERR_LOCK_HELD')
    assert.equal(error.exitCode, 28)
    artifact.letGo()
    await waitFor(() => restarts() === 1, 'the restart')
    await updater.stop()
    assert.equal(artifact.asked(), 1)
  })

  test('case 87: whose supervisor starts an old path says so, and is neither updated nor restarted in a loop', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const machine = await makeMachine(t, host)
    const { home } = machine
    assert.equal((await machine.poll()).kind, 'swapped')
    // `versions/1.0.0/...` was written into a unit: exit 100 starts the same program again.
    for (let start = 0; start < 3; start += 1) {
      host.drain()
      const { updater, events, restarts } = startUpdater(machine, host, '1.0.0')
      await waitFor(() => host.requests.filter((path) => path === 'version.json').length >= 2, 'two polls')
      await updater.stop()
      assert.equal(restarts(), 0)
      assert.ok(events.some((event) => event.kind === 'warning' && /1\.0\.0 runs, but 1\.0\.1 is/.test(event.message)))
      assert.ok(host.requests.every((path) => path === 'version.json'))
    }
    // The twin: through the launcher it is on trial, and is confirmed.
    assert.equal(prepareLaunch(home, assert.fail).version, '1.0.1')
    const { updater, events } = startUpdater(machine, host, '1.0.1')
    updater.confirm()
    await waitFor(() => events.some(({ kind }) => kind === 'confirmed'), 'confirmed')
    await updater.stop()
  })
})

describe('an updater that is told to stop', { timeout: 240_000, concurrency: 2 }, () => {
  const tree = archive(
    { name: 'agent', body: program('1.0.1'), mode: 0o755 },
    ...Array.from({ length: 100 }, (_, index) => ({ name: `data/${index}`, body: 'x' })),
  )
  const large = { ...NEXT, artifact: tree, binary: { unpack: 'tar', entry: 'agent' } }
  const moments: Record<string, [offer: Offer, held: string | undefined, isTime: (machine: Machine) => boolean]> = {
    'before the manifest comes': [NEXT, 'version.json', () => true],
    'during the download': [NEXT, '1.0.1.bin', () => true],
    'while it unpacks': [large, undefined, ({ home }) => fs.existsSync(join(home.staging, '1.0.1.staged/data/49'))],
    'after the version got its name': [NEXT, undefined, ({ home }) => fs.existsSync(join(home.versions, '1.0.1'))],
    'after the swap': [NEXT, undefined, ({ home }) => readLaunchRecord(home.current)?.version === '1.0.1'],
  }
  for (const [name, [offer, held, isTime]] of Object.entries(moments)) {
    test(`case 77: by SIGTERM ${name} leaves the old version or the new one, whole`, async (t) => {
      const host = await startHost(t)
      publish(host, offer)
      const machine = await makeMachine(t, host)
      const { home, settings, deps, poll } = machine
      const answers = held === undefined ? undefined : hold(host, held)
      const inside = name === 'while it unpacks' ? stuckAt('/data/50') : ''
      const { child } = startPoll(t, { home: home.path, server: host.url, inside })
      await waitFor(() => (answers === undefined || answers.asked() === 1) && isTime(machine), 'the moment')
      child.kill('SIGTERM')
      await once(child, 'close')
      answers?.letGo()
      const version = readLaunchRecord(home.current)?.version
      assert.equal(whatRuns(home).answers, version)
      // What was started by that: as any start on trial it counts once.
      const trial = readLaunchRecord(home.current)?.trial
      assert.deepEqual(trial, version === '1.0.1' ? { started: 1, tries: 3 } : undefined)
      await settle(settings, deps)
      const next = await poll()
      assert.equal(next.kind === 'checked' ? next.decision.kind : next.kind, trial ? 'up-to-date' : 'swapped')
      assert.equal(whatRuns(home).answers, '1.0.1')
      assertTidy(home)
    })
  }

  test(`case 77: by SIGTERM at twelve random moments, one after the other, ends up with the new version (seed ${SEED})`, async (t) => {
    const host = await startHost(t)
    publish(host, { ...NEXT, artifact: Buffer.concat([program('1.0.1'), Buffer.alloc(500_000, '#')]) })
    const { home, settings, deps, poll } = await makeMachine(t, host)
    const random = randomFrom(SEED)
    for (let round = 0; round < 12; round += 1) {
      const { child } = startPoll(t, { home: home.path, server: host.url })
      const closed = once(child, 'close')
      const timer = setTimeout(() => child.kill('SIGTERM'), 200 + random() * 500)
      await closed
      clearTimeout(timer)
      const { version = '' } = readLaunchRecord(home.current) ?? {}
      assert.match(version, /^1\.0\.[01]$/)
      await settle(settings, deps)
      for (const name of fs.readdirSync(home.staging)) assert.match(name, /^[0-9a-f]{64}\.partial$/)
    }
    await poll().catch((error: unknown) => assert.fail(String(error)))
    assert.equal(whatRuns(home).answers, '1.0.1')
    assert.equal(sha256(program('1.0.0')), sha256(artifactOf({ version: '1.0.0' })))
  })

  test('case 77: a restart of the machine during a trial costs one of its tries, however often home is looked at', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, settings, deps, poll } = await makeMachine(t, host)
    await poll()
    for (let boot = 1; boot <= 3; boot += 1) {
      assert.equal(prepareLaunch(home, assert.fail).trial, boot)
      // The updater inside starts, and the power goes before it has said anything.
      await settle(settings, deps)
      await settle(settings, deps)
      await poll({ apply: false })
      assert.deepEqual(readLaunchRecord(home.current)?.trial, { started: boot, tries: 3 })
    }
    assert.equal(prepareLaunch(home, () => undefined).version, '1.0.0')
  })
})
