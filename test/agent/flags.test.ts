import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { checkOnce } from '../../agent/check-once.ts'
import type { AgentEvent } from '../../agent/events/events.ts'
import { loadState, saveState } from '../../agent/home/state.ts'
import { lastFlags } from '../../agent/report/flags-file.ts'
import { Updater } from '../../agent/updater.ts'
import type { UpdaterOptions } from '../../agent/updater-options.ts'
import type { JsonValue } from '../../manifests/index.ts'
import { makeKey } from '../fixtures/signed-manifest.ts'
import { BOUNDED, type Host, makeMachine, type Machine, NOW, publish, settingsAt, startHost, waitFor } from './field.ts'

const HOUR_MS = 3_600_000
const all = (value: JsonValue) => ({ shares: [{ value, percent: 100 }] })

function publishFlags(host: Host, flags: JsonValue, sequence = 10, rollout = {}): void {
  publish(host, { version: '1.0.0', sequence, manifest: { rollout: { flags, ...rollout } } })
}

const fileOf = ({ home }: Machine): unknown => JSON.parse(fs.readFileSync(home.flags, 'utf8'))

/** An updater that polls only when asked. */
function startUpdater(machine: Machine, options: Partial<UpdaterOptions> = {}) {
  const events: AgentEvent[] = []
  const updater = new Updater({
    version: '1.0.0',
    home: machine.home.path,
    env: {},
    settings: { server: machine.settings.url.href, deployment: 'vm', interval: '1h', retries: 0 },
    firstPollMs: HOUR_MS,
    clock: () => NOW,
    onEvent: (event) => void events.push(event),
    ...options,
  })
  updater.start()
  /** Counted as the last thing of a poll. */
  const polls = (): number => {
    if (!fs.existsSync(machine.home.metrics)) return 0
    const text = fs.readFileSync(machine.home.metrics, 'utf8')
    return Number(/^moult_checks_total\{.*\} (\d+)$/m.exec(text)?.[1] ?? 0)
  }
  const polled = async (): Promise<void> => {
    await waitFor(() => events.some(({ kind }) => kind === 'started'), 'the start')
    const before = polls()
    await waitFor(() => (updater.checkNow(), polls() > before), 'a poll')
  }
  const changes = () => events.flatMap((event) => (event.kind === 'flags-changed' ? [event.flags] : []))
  return { updater, events, polled, changes }
}

describe('the flags of an agent', BOUNDED, () => {
  test('come with a poll, are there right after the next start, and change with the rollout', async (t) => {
    const host = await startHost(t)
    publishFlags(host, { buffer: all(true), colour: all('blue'), size: all(64) })
    const machine = await makeMachine(t, host)
    const heard: unknown[] = []
    const first = startUpdater(machine, { onFlags: (flags) => void heard.push(flags) })
    t.after(() => first.updater.stop())
    assert.deepEqual(first.updater.flags, {})
    await first.polled()
    const flags = { buffer: true, colour: 'blue', size: 64 }
    assert.deepEqual(first.updater.flags, flags)
    assert.deepEqual(fileOf(machine), { flags, sequence: 10, version: '1.0.0' })
    assert.equal(fs.statSync(machine.home.flags).mode & 0o777, 0o644)

    const before = fs.statSync(machine.home.flags)
    await first.polled()
    assert.equal(fs.statSync(machine.home.flags).ino, before.ino, 'an unchanged file is left alone')
    publishFlags(host, { colour: all('red') }, 11)
    await first.polled()
    assert.deepEqual(
      [first.updater.flags, fileOf(machine)],
      [{ colour: 'red' }, { flags: { colour: 'red' }, sequence: 11, version: '1.0.0' }],
    )
    await first.updater.stop()
    assert.deepEqual(
      [first.changes(), heard],
      [
        [flags, { colour: 'red' }],
        [flags, { colour: 'red' }],
      ],
    )

    const second = startUpdater(machine)
    assert.deepEqual(second.updater.flags, { colour: 'red' })
    await second.updater.stop()
    assert.deepEqual(second.changes(), [{ colour: 'red' }])
  })

  test('go by the labels of the host, its id and what runs', async (t) => {
    const host = await startHost(t)
    const rules = [
      { match: { labels: { ring: ['canary'] } }, flags: { colour: all('yellow') } },
      { match: { versions: ['>=1.0.1'] }, flags: { buffer: all(true) } },
    ]
    publish(host, { version: '1.0.1', manifest: { rollout: { rules, flags: { colour: all('grey') } } } })
    const machine = await makeMachine(t, host)
    const { deps } = machine
    const canary = settingsAt(machine.home, host, { labels: { ring: 'canary' } })
    await checkOnce(canary, { apply: false }, deps)
    assert.deepEqual(fileOf(machine), { flags: { colour: 'yellow' }, sequence: 10, version: '1.0.0' })
    assert.deepEqual(lastFlags(machine.settings, '1.0.0')?.flags, { colour: 'grey' })
    // After the swap they are those of the version that runs from here on.
    assert.equal((await checkOnce(canary, { apply: true }, deps)).kind, 'swapped')
    const expected = { colour: 'yellow', buffer: true }
    assert.deepEqual(fileOf(machine), { flags: expected, sequence: 10, version: '1.0.1' })
    const told = machine.events.filter(({ kind }) => kind === 'flags-changed')
    assert.deepEqual(
      told.map((event) => 'flags' in event && event.flags),
      [{ colour: 'yellow' }, expected],
    )
  })

  test('stay when the manifest expires, when the release is paused, and when the host is away', async (t) => {
    const host = await startHost(t)
    publishFlags(host, { buffer: all(true) }, 10, { paused: true })
    const machine = await makeMachine(t, host)
    await checkOnce(machine.settings, { apply: true }, machine.deps)
    const later = startUpdater(machine, { clock: () => NOW + 1000 * HOUR_MS })
    assert.deepEqual(later.updater.flags, { buffer: true })
    await later.polled()
    assert.ok(later.events.some((event) => event.kind === 'check-failed'))
    host.answers.clear()
    await later.polled()
    assert.deepEqual([later.updater.flags, later.changes()], [{ buffer: true }, [{ buffer: true }]])
    await later.updater.stop()
    assert.deepEqual(fileOf(machine), { flags: { buffer: true }, sequence: 10, version: '1.0.0' })
  })

  test('are none while the kept manifest is damaged, changed, signed by another key, old, or of another channel', async (t) => {
    const host = await startHost(t)
    publishFlags(host, { buffer: all(false) }, 9)
    const machine = await makeMachine(t, host)
    await machine.poll()
    const old = fs.readFileSync(machine.home.manifest)
    publishFlags(host, { buffer: all(true) }, 10, { channel: 'beta' })
    const beta = await makeMachine(t, host, { channel: 'beta', server: `${host.url}/version.json` })
    await beta.poll()
    const foreign = fs.readFileSync(beta.home.manifest)
    publish(host, { version: '1.0.0', manifest: { rolloutSigners: [makeKey('stranger')], rollout: { sequence: 11 } } })
    const forged = Buffer.from(await (await fetch(`${host.url}/version.json`)).arrayBuffer())
    publishFlags(host, { buffer: all(true) })
    await machine.poll()
    const whole = fs.readFileSync(machine.home.manifest)
    const edited = Buffer.from(whole.toString().replace('"value": true', '"value": false'))
    assert.notDeepEqual(edited, whole)
    const kept: [what: string, bytes: Buffer | string | undefined][] = [
      ['gone', undefined],
      ['empty', ''],
      ['null', 'null'],
      ['an array', '[]'],
      ['without a rollout', '{"rollout": null}'],
      ['cut off', whole.subarray(0, 500)],
      ['edited', edited],
      ['by another key', forged],
      ['old', old],
      ['of another channel', foreign],
    ]
    for (const [what, bytes] of kept) {
      fs.rmSync(machine.home.manifest, { force: true })
      if (bytes !== undefined) fs.writeFileSync(machine.home.manifest, bytes)
      fs.writeFileSync(machine.home.flags, JSON.stringify({ flags: { buffer: 'forged' } }))
      const { updater, polled } = startUpdater(machine)
      assert.deepEqual(updater.flags, {}, what)
      assert.equal(lastFlags(machine.settings, '1.0.0'), undefined, what)
      await polled()
      assert.deepEqual(updater.flags, { buffer: true }, what)
      assert.deepEqual(fileOf(machine), { flags: { buffer: true }, sequence: 10, version: '1.0.0' }, what)
      await updater.stop()
    }
    // The sound twin, which is expired by now: flags ask for no freshness.
    fs.writeFileSync(machine.home.manifest, whole)
    const { updater } = startUpdater(machine, { clock: () => NOW + 1000 * HOUR_MS })
    assert.deepEqual(updater.flags, { buffer: true })
    await updater.stop()
  })

  test('and their file never fail a check, nor does a listener that throws', async (t) => {
    const host = await startHost(t)
    publishFlags(host, { buffer: all(true) })
    const machine = await makeMachine(t, host)
    fs.mkdirSync(join(machine.home.flags, 'in the way'), { recursive: true })
    const { updater, polled, events } = startUpdater(machine, {
      onFlags: () => {
        throw new Error('mine')
      },
    })
    await polled()
    assert.deepEqual(updater.flags, { buffer: true })
    await updater.stop()
    assert.deepEqual(
      events.filter(({ kind }) => kind === 'check-failed'),
      [],
    )
    fs.rmSync(machine.home.flags, { recursive: true })
    await checkOnce(machine.settings, { apply: true }, machine.deps)
    assert.deepEqual(fileOf(machine), { flags: { buffer: true }, sequence: 10, version: '1.0.0' })
  })

  test('are none where updates are off', async (t) => {
    const host = await startHost(t)
    publishFlags(host, { buffer: all(true) })
    const machine = await makeMachine(t, host)
    await machine.poll()
    for (const settings of [{ enabled: false }, { mode: 'disabled' as const }]) {
      const { updater } = startUpdater(machine, { settings: { server: host.url, deployment: 'vm', ...settings } })
      assert.deepEqual(updater.flags, {})
      await updater.stop()
    }
    const { updater } = startUpdater(machine)
    assert.deepEqual(updater.flags, { buffer: true })
    await updater.stop()
  })

  test('are none while the kept manifest is behind what was accepted', async (t) => {
    const host = await startHost(t)
    publishFlags(host, { buffer: all(true) })
    const machine = await makeMachine(t, host)
    await machine.poll()
    const state = loadState(machine.home, machine.settings.root, assert.fail)
    saveState(machine.home, { ...state, floors: { stable: { sequence: 12, digest: '' } } })
    assert.equal(lastFlags(machine.settings, '1.0.0'), undefined)
    saveState(machine.home, state)
    assert.deepEqual(lastFlags(machine.settings, '1.0.0'), { flags: { buffer: true }, sequence: 10, version: '1.0.0' })
  })
})
