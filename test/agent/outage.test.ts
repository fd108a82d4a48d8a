// Something that the agent depends on is down: every version is unhealthy, and none of them is to blame.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { checkOnce } from '../../agent/check-once.ts'
import type { AgentEvent } from '../../agent/events/events.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { prepareLaunch } from '../../agent/trial/launch.ts'
import { loadState } from '../../agent/home/state.ts'
import { Updater } from '../../agent/updater.ts'
import { laterBy, makeMachine, type Machine, NOW, program, publish, startHost, waitFor } from './field.ts'

const MINUTE_MS = 60_000

describe('an outage of what an agent depends on', { timeout: 240_000, concurrency: true }, () => {
  test('case 84: rolls a new version back once; the old one stays, sick or well, and the reason is kept', async (t) => {
    const [host, dependency] = [await startHost(t), await startHost(t)]
    dependency.answer('ready', (_, response) => void response.writeHead(503).end())
    publish(host, { version: '1.0.1', sequence: 10 })
    const { home, settings, deps, events } = await makeMachine(t, host, { health: { url: `${dependency.url}/ready` } })
    const check = (minutes: number) =>
      checkOnce(settings, { apply: true }, { ...deps, ...laterBy(minutes * MINUTE_MS) })
    assert.equal((await check(0)).kind, 'swapped')
    prepareLaunch(home, assert.fail)
    await check(11)
    assert.deepEqual(readLaunchRecord(home.current), { version: '1.0.0' })
    // For hours the old version is started again and again, as it is unhealthy, too.
    for (let minutes = 12; minutes < 300; minutes += 20) {
      assert.equal(prepareLaunch(home, assert.fail).version, '1.0.0')
      const result = await check(minutes)
      assert.ok(result.kind === 'checked' && result.decision.kind === 'refuse', `${minutes}`)
      assert.equal(result.decision.reason, 'quarantined')
    }
    dependency.answer('ready', (_, response) => void response.end())
    await check(301)
    assert.deepEqual(readLaunchRecord(home.current), { version: '1.0.0' })
    const ends = events.filter(({ kind }) => kind === 'rolled-back')
    assert.deepEqual(ends, [{ kind: 'rolled-back', version: '1.0.1', to: '1.0.0', reason: 'health' }])
    assert.equal(host.requests.filter((path) => path.endsWith('.bin')).length, 1)
    const { quarantine } = loadState(home, settings.root, assert.fail)
    assert.deepEqual(
      quarantine.map(({ version, reason }) => [version, reason]),
      [['1.0.1', 'health']],
    )
    // The twin: with the dependency there, the same code in a new build is confirmed.
    publish(host, { version: '1.0.1', sequence: 11, artifact: program('1.0.1', '# built again') })
    assert.equal((await check(302)).kind, 'swapped')
    prepareLaunch(home, assert.fail)
    // Its start has the real time, so that counts from the check before it.
    await check(304)
    await check(306)
    assert.equal(readLaunchRecord(home.current)?.trial, undefined)
    assert.equal(readLaunchRecord(home.current)?.version, '1.0.1')
  })

  test('case 84: is no ping-pong between updaters inside the two versions either', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1', sequence: 10 })
    const machine = await makeMachine(t, host)
    const { home } = machine
    await machine.poll()
    const ran: string[] = []
    // As a supervisor would: whatever the launcher names, until it has run undisturbed for ten polls.
    for (let starts = 0; starts < 6; starts += 1) {
      const { version, trial } = prepareLaunch(home, assert.fail)
      ran.push(version)
      if (!(await runSick(machine, host.url, version, trial === undefined ? 10 : Infinity))) break
    }
    assert.deepEqual(ran, ['1.0.1', '1.0.0'])
    const { quarantine } = loadState(home, machine.settings.root, assert.fail)
    assert.deepEqual(
      quarantine.map(({ version, reason }) => [version, reason]),
      [['1.0.1', 'health']],
    )
  })
})

/** @returns true when the program asked for its restart, false when it went on for so many polls */
async function runSick({ home }: Machine, server: string, version: string, pollsMax: number): Promise<boolean> {
  const events: AgentEvent[] = []
  let isRestarted = false
  const updater = new Updater({
    version,
    home: home.path,
    env: {},
    settings: { server, interval: '1s', probation: '200ms', retries: 0 },
    firstPollMs: 0,
    clock: () => NOW,
    random: () => 0,
    health: () => false,
    restart: () => void (isRestarted = true),
    onEvent: (event) => {
      events.push(event)
      // Not the second that lies between two polls; on trial that would leave no moment for the verdict.
      if (event.kind === 'checked' && pollsMax < Infinity) setImmediate(() => updater.checkNow())
    },
  })
  updater.start()
  const polls = (): number => events.filter(({ kind }) => kind === 'checked').length
  await waitFor(() => isRestarted || polls() >= pollsMax, `a restart or ${pollsMax} polls`)
  await updater.stop()
  return isRestarted
}
