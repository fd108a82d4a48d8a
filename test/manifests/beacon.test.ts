import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  type Beacon,
  BEACON_EVENTS,
  BEACON_MAX_CHARS,
  BEACON_STATES,
  type BeaconEvent,
  formatBeacon,
  parseBeacon,
  toldEvents,
} from '../../manifests/index.ts'
import { Random, testSeed } from '../fuzz/random.ts'

const ALPHABET = /^[A-Za-z0-9._/;=+() -]*$/
const SEED = testSeed()
const ROUNDS = 20_000

const PLATFORMS = ['linux-amd64', 'linux-ppc64le', 'darwin-arm64', 'windows-amd64'] as const
const LONGEST_PLATFORM = `${'o'.repeat(16)}-${'a'.repeat(16)}` as const
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const DIGITS = '0123456789'

/** Beacons of all that a schema admits. */
class RandomBeacons extends Random {
  text(alphabet: string, min: number, max: number): string {
    return Array.from({ length: min + this.below(max - min + 1) }, () => this.pick(alphabet.split(''))).join('')
  }

  name(max: number): string {
    return this.text(LETTERS + DIGITS, 1, 1) + this.text(`${LETTERS}${DIGITS}._-`, 0, max - 1)
  }

  version(max: number): string {
    const core = `${this.below(100)}.${this.below(100)}.${this.below(100)}`
    return max <= core.length || this.below(2) === 0
      ? core
      : `${core}-${this.text(`${LETTERS}${DIGITS}.-`, 1, max - 9)}`
  }

  event(n: number, versionMax: number): BeaconEvent {
    const kind = this.pick(BEACON_EVENTS)
    const word = `${LETTERS.toUpperCase()}${LETTERS}${DIGITS}._+-`
    const detail = kind === 'updated' ? this.text('123456789', 1, 15) : this.text(word, 1, versionMax + 4)
    return { n: n * 1000 + this.below(1000), kind, version: this.version(versionMax), detail }
  }

  /** @param nameMax of name and channel, which may be long together only in theory */
  beacon(nameMax: number, versionMax: number): Beacon {
    const platform = this.pick(PLATFORMS)
    const error = this.below(3) === 0 ? { error: this.text(`${LETTERS.toUpperCase()}_`, 1, 30) } : {}
    return {
      name: this.name(nameMax),
      ...(this.below(10) === 0 ? {} : { version: this.version(versionMax) }),
      platform,
      channel: this.name(nameMax),
      ...(this.below(10) === 0
        ? {}
        : { id: this.text('0123456789abcdef', 16, 16), state: this.pick(BEACON_STATES), ...error }),
      events: Array.from({ length: this.below(6) }, (_, index) => this.event(index + 1, versionMax)),
      updater: this.version(versionMax),
    }
  }
}

describe(`a beacon (MOULT_TEST_SEED=${SEED})`, () => {
  test('is read as it was said, when it has room', () => {
    const random = new RandomBeacons(SEED)
    let whole = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const beacon = random.beacon(20, 20)
      const text = formatBeacon(beacon)
      const { events, ...rest } = beacon
      const told = events.slice(0, toldEvents(beacon))
      const read = parseBeacon(text)
      assert.deepEqual(read?.events, told, text)
      assert.ok(beacon.id === undefined || events.length === 0 || told.length > 0, `no event has room: ${text}`)
      // What was left out for want of room is the error, then the state; never the id.
      if (text.length < 160) assert.deepEqual({ ...read, events: [] }, { ...rest, events: [] }, text)
      if (told.length === events.length && read?.error === beacon.error) whole += 1
      assert.equal(read?.id, beacon.id)
      assert.equal(formatBeacon(read), text)
    }
    assert.ok(whole > ROUNDS / 3, `${whole}`)
  })

  test('has fewer than 200 characters of the alphabet, whatever the names and versions', () => {
    const random = new RandomBeacons(SEED)
    for (let round = 0; round < ROUNDS; round += 1) {
      const beacon = { ...random.beacon(64, 128), ...(round % 2 === 0 ? {} : { platform: LONGEST_PLATFORM }) }
      const text = formatBeacon(beacon)
      assert.ok(text.length <= BEACON_MAX_CHARS && BEACON_MAX_CHARS < 200, text)
      assert.match(text, ALPHABET)
      const read = parseBeacon(text)
      assert.deepEqual([read?.name, read?.platform, read?.channel], [beacon.name, beacon.platform, beacon.channel])
    }
  })

  test('keeps its id beside the longest name and channel, on every platform that there is', () => {
    for (const platform of PLATFORMS) {
      const beacon: Beacon = {
        name: 'n'.repeat(64),
        version: `1.4.2-rc.1+${'b'.repeat(117)}`,
        platform,
        channel: 'c'.repeat(64),
        id: '0f1e2d3c4b5a6978',
        state: 'confirmed',
        events: [{ n: 1795262401, kind: 'updated', version: '1.4.2', detail: '3' }],
        updater: '0.1.0',
      }
      assert.equal(parseBeacon(formatBeacon(beacon))?.id, beacon.id)
    }
  })

  test('says an error also where nothing has happened', () => {
    const beacon: Beacon = {
      name: 'a',
      version: '1.0.0',
      platform: 'linux-amd64',
      channel: 'stable',
      id: '0f1e2d3c4b5a6978',
      state: 'failed',
      error: 'NETWORK_TIMEOUT',
      events: [],
      updater: '0.1.0',
    }
    assert.deepEqual(parseBeacon(formatBeacon(beacon)), beacon)
  })

  test('is never made of what no agent says, and reading never fails: mutants of sound ones', () => {
    const random = new RandomBeacons(SEED)
    const noise = [
      ...`${LETTERS}${DIGITS}"'<>\\%;=/() \n\r\t\u0000\u001b\u0085\u2028é`.split(''),
      '\u{1f600}',
      '; ',
      'id=',
      'ev=',
      'st=',
      '%22',
      '\\x22',
    ]
    let read = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      let text = formatBeacon(random.beacon(20, 20))
      for (let edits = random.below(4); edits >= 0; edits -= 1) {
        const at = random.below(text.length + 1)
        text = text.slice(0, at) + random.pick(noise) + text.slice(at + random.below(3))
      }
      const beacon = parseBeacon(text)
      if (beacon === undefined) continue
      read += 1
      // Whatever goes on from here into a terminal, a table or a page has nothing in it that would need an escape.
      for (const word of wordsOf(beacon)) assert.match(word, /^[A-Za-z0-9._+-]+$/, JSON.stringify(text))
      assert.ok(
        beacon.events.every(({ n }) => Number.isSafeInteger(n)),
        text,
      )
      assert.ok(beacon.id !== undefined || (beacon.state === undefined && beacon.events.length === 0), text)
    }
    assert.ok(read > ROUNDS / 20, `${read}`)
  })

  test('is read in no more time for a long hostile text', () => {
    const text = `a/1 (linux-amd64; s; ${'; ev=1/failed/1/'.repeat(200_000)}`
    const startedMs = performance.now()
    for (let round = 0; round < 1000; round += 1) assert.equal(parseBeacon(text), undefined)
    assert.ok(performance.now() - startedMs < 20_000)
  })
})

function wordsOf({ events, ...fields }: Beacon): string[] {
  return [
    ...Object.values(fields).filter((value) => value !== undefined),
    ...events.flatMap(({ kind, version, detail }) => [kind, version, detail]),
  ]
}
