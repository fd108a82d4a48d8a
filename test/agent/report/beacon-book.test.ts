import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test, type TestContext } from 'node:test'

import { homeAt } from '../../../agent/home/home.ts'
import { bookArrival, bookEvent, bookFailure, bookTold, untoldEvents } from '../../../agent/report/beacon-book.ts'
import type { Settings } from '../../../agent/settings/settings.ts'
import { type Beacon, formatBeacon, parseBeacon } from '../../../manifests/index.ts'
import { layOutHome, makeDir, NOW, settingsAt } from '../field.ts'

async function makeSettings(t: TestContext): Promise<Settings> {
  const home = homeAt(makeDir(t))
  await layOutHome(home)
  return settingsAt(home, { url: 'http://127.0.0.1:1' })
}

const rolledBack = (version: string, reason: string) => ({ kind: 'rolled-back', version, to: '1.0.0', reason }) as const
const offered = (version: string) =>
  ({
    kind: 'checked',
    decision: { kind: 'wait', version, reason: 'paused', bucket: 0, percent: 0 },
    sequence: 1,
  }) as const

const beaconWith = (settings: Settings): Beacon => ({
  name: 'heartbeat-agent',
  version: '1.0.0',
  platform: 'linux-amd64',
  channel: 'stable',
  id: '0f1e2d3c4b5a6978',
  state: 'confirmed',
  events: untoldEvents(settings),
  updater: '0.1.0',
})

describe('what is still to be said', () => {
  test('is kept in order with numbers that rise, is bounded, and is said a few at a time', async (t) => {
    const settings = await makeSettings(t)
    for (let index = 1; index <= 12; index += 1) bookEvent(settings, rolledBack(`1.0.${index}`, 'health'), NOW)
    const kept = untoldEvents(settings)
    assert.deepEqual(
      kept.map(({ version }) => version),
      ['1.0.5', '1.0.6', '1.0.7', '1.0.8', '1.0.9', '1.0.10', '1.0.11', '1.0.12'],
    )
    assert.ok(kept.every(({ n }, index) => index === 0 || n > (kept[index - 1]?.n ?? 0)))
    const said: number[] = []
    for (let poll = 0; poll < 30 && untoldEvents(settings).length > 0; poll += 1) {
      const beacon = beaconWith(settings)
      said.push(...(parseBeacon(formatBeacon(beacon))?.events ?? []).map(({ n }) => n))
      bookTold(settings, beacon, NOW)
    }
    assert.deepEqual(untoldEvents(settings), [])
    assert.deepEqual(
      said.toSorted((a, b) => a - b),
      kept.flatMap(({ n }) => [n, n]),
    )
  })

  test('begins anew with a damaged file, and no number comes back', async (t) => {
    const settings = await makeSettings(t)
    const { home } = settings
    bookEvent(settings, rolledBack('1.0.1', 'health'), NOW)
    const whole = fs.readFileSync(home.beacon, 'utf8')
    const [before] = untoldEvents(settings)
    const damaged = [
      '',
      whole.slice(0, -5),
      '[]',
      '{}',
      whole.replace('"rolled-back"', '"vanished"'),
      whole.replace('health', 'a; id=ffffffffffffffff'),
      whole.replace(/"n":[0-9]+/, '"n":999999999999999'),
      `{"n":1,"offers":[],"events":[${Array.from({ length: 9 }, () => '{}').join(',')}]}`,
    ]
    for (const text of damaged) {
      fs.writeFileSync(home.beacon, text)
      assert.deepEqual(untoldEvents(settings), [], text)
      bookEvent(settings, rolledBack('1.0.2', 'tries'), NOW + 60_000)
      const [after, ...more] = untoldEvents(settings)
      assert.deepEqual([after?.version, more.length], ['1.0.2', 0], text)
      assert.ok((after?.n ?? 0) > (before?.n ?? Infinity), text)
    }
    fs.rmSync(home.beacon)
    fs.mkdirSync(home.beacon)
    bookEvent(settings, rolledBack('1.0.2', 'tries'), NOW)
    assert.deepEqual(untoldEvents(settings), [])
  })

  test('is a time also where the first offer was forgotten, and never a negative one', async (t) => {
    const settings = await makeSettings(t)
    const receipt = `${settings.home.versions}/1.0.0/.receipt`
    fs.utimesSync(receipt, NOW / 1000 - 500, NOW / 1000 - 500)
    bookEvent(settings, { kind: 'confirmed', version: '1.0.0' }, NOW)
    bookEvent(settings, { kind: 'confirmed', version: '1.0.9' }, NOW)
    bookEvent(settings, offered('1.0.1'), NOW)
    bookEvent(settings, offered('1.0.1'), NOW + 5000)
    bookEvent(settings, { kind: 'confirmed', version: '1.0.1' }, NOW + 65_000)
    bookEvent(settings, offered('1.0.2'), NOW)
    bookEvent(settings, { kind: 'confirmed', version: '1.0.2' }, NOW - 86_400_000)
    assert.deepEqual(
      untoldEvents(settings).map(({ version, detail }) => `${version} ${detail}`),
      ['1.0.0 500', '1.0.9 0', '1.0.1 65', '1.0.2 0'],
    )
  })

  test('is an update that ran before its confirmation was taken down, once', async (t) => {
    const settings = await makeSettings(t)
    bookEvent(settings, offered('1.0.1'), NOW)
    bookArrival(settings, '1.0.0', NOW)
    assert.deepEqual(untoldEvents(settings), [])
    for (const version of ['1.0.1', '1.0.1']) bookArrival(settings, version, NOW + 9000)
    assert.deepEqual(
      untoldEvents(settings).map(({ kind, version, detail }) => [kind, version, detail]),
      [['updated', '1.0.1', '9']],
    )
    // The first version of a home.
    bookEvent(settings, offered('1.0.2'), NOW)
    bookEvent(settings, { kind: 'swapped', version: '1.0.2' }, NOW)
    bookArrival(settings, '1.0.2', NOW)
    assert.equal(untoldEvents(settings).length, 1)
  })

  test('is a failure once for each version and code, until it fails otherwise or is done', async (t) => {
    const settings = await makeSettings(t)
    for (const code of ['ERR_BYTES_HASH', 'ERR_BYTES_HASH', 'ERR_NETWORK_STATUS', 'ERR_BYTES_HASH'])
      bookFailure(settings, '1.0.1', code, NOW)
    bookFailure(settings, '1.0.2', 'ERR_BYTES_HASH', NOW)
    bookEvent(settings, { kind: 'confirmed', version: '1.0.2' }, NOW)
    bookFailure(settings, '1.0.2', 'ERR_BYTES_HASH', NOW)
    assert.deepEqual(
      untoldEvents(settings).map(({ kind, version, detail }) => (kind === 'failed' ? `${version} ${detail}` : kind)),
      [
        '1.0.1 BYTES_HASH',
        '1.0.1 NETWORK_STATUS',
        '1.0.1 BYTES_HASH',
        '1.0.2 BYTES_HASH',
        'updated',
        '1.0.2 BYTES_HASH',
      ],
    )
  })

  test('a reason of any text is a word, also in the file', async (t) => {
    const settings = await makeSettings(t)
    bookEvent(settings, rolledBack('1.0.1', 'x; id=ffffffffffffffff) \u001b[2J'), NOW)
    const text = formatBeacon(beaconWith(settings))
    assert.equal(parseBeacon(text)?.events[0]?.detail, 'x--id-ffffffffffffffff----2J')
  })

  test('is lost on a disk that fails, and nothing else is', async (t) => {
    const settings = await makeSettings(t)
    const full = (): never => {
      throw Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'write' })
    }
    const disk = { ...settings.home.disk, writeFile: full, rename: full, remove: full }
    bookEvent({ ...settings, home: { ...settings.home, disk } }, rolledBack('1.0.1', 'health'), NOW)
    assert.deepEqual(untoldEvents(settings), [])
    bookEvent(settings, rolledBack('1.0.1', 'health'), NOW)
    assert.equal(untoldEvents(settings).length, 1)
  })

  test('is nothing while the beacon is off', async (t) => {
    const settings = { ...(await makeSettings(t)), beacon: false }
    bookEvent(settings, rolledBack('1.0.1', 'health'), NOW)
    bookEvent(settings, offered('1.0.1'), NOW)
    bookFailure(settings, '1.0.1', 'ERR_BYTES_HASH', NOW)
    assert.equal(fs.existsSync(settings.home.beacon), false)
  })
})
