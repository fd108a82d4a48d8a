// What time does to an agent: manifests that grow old, and clocks that are wrong.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { agentStatus } from '../../agent/report/agent-status.ts'
import { noteCheck } from '../../agent/report/last-check.ts'
import { BUILT_AT_MS } from '../../agent/moult-version.ts'
import { loadState } from '../../agent/home/state.ts'
import { formatDate } from '../../manifests/index.ts'
import { makeRoot, makeRootChain } from '../fixtures/signed-manifest.ts'
import {
  artifactOf,
  BOUNDED,
  failureOf,
  makeMachine,
  manifestOf,
  NOW,
  type Offer,
  publish,
  startHost,
  whatRuns,
} from './field.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SAME: Offer = { version: '1.0.0', sequence: 10 }
const NEXT: Offer = { version: '1.0.1', sequence: 11 }
const at = (time: number) => ({ deps: { clock: () => time } })

describe('time', { ...BOUNDED, concurrency: true }, () => {
  test('case 28: a manifest that a host never renews is refused from its expiry on, as a copy and as fresh bytes', async (t) => {
    const host = await startHost(t)
    publish(host, SAME)
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    const expiry = Math.floor((NOW + 48 * HOUR_MS) / 1000) * 1000
    const before = whatRuns(home)
    const believed = loadState(home, settings.root, assert.fail)
    for (const answer of ['304', '200']) {
      if (answer === '200') host.answer('version.json', (_, response) => void response.end(manifestOf(SAME)))
      assert.equal((await poll(at(expiry - 1))).kind, 'checked')
      assert.equal((await failureOf(() => poll(at(expiry)))).code, 'ERR_TRUST_EXPIRED', answer)
      assert.equal((await failureOf(() => poll(at(expiry + DAY_MS)))).code, 'ERR_TRUST_EXPIRED', answer)
    }
    assert.deepEqual(whatRuns(home), before)
    assert.deepEqual(loadState(home, settings.root, assert.fail).floors, believed.floors)
    const rollout = { issued: formatDate(expiry), expires: formatDate(expiry + 30 * DAY_MS) }
    publish(host, { ...NEXT, manifest: { rollout } })
    assert.equal((await poll(at(expiry + DAY_MS))).kind, 'swapped')
  })

  test('case 25: of an expired manifest the status says which code, and since when', async (t) => {
    const host = await startHost(t)
    const rollout = { issued: formatDate(NOW - 2 * DAY_MS), expires: formatDate(NOW - 1000) }
    publish(host, { ...NEXT, manifest: { rollout } })
    const { home, poll, settings } = await makeMachine(t, host)
    for (const time of [NOW, NOW + HOUR_MS, NOW + DAY_MS]) {
      noteCheck(home, { kind: 'failed', error: await failureOf(() => poll(at(time))) }, time)
    }
    const { lastCheck, sequence } = agentStatus(settings)
    assert.deepEqual([lastCheck?.code, sequence], ['ERR_TRUST_EXPIRED', 0])
    assert.deepEqual([lastCheck?.since, lastCheck?.at], [formatDate(NOW), formatDate(NOW + DAY_MS)])
    assert.equal(whatRuns(home).answers, '1.0.0')
    publish(host, NEXT)
    noteCheck(home, await poll(), NOW + DAY_MS)
    assert.equal(agentStatus(settings).lastCheck?.outcome, 'swapped')
  })

  test('case 27: a manifest that expires during a download is finished with', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll } = await makeMachine(t, host)
    let time = NOW
    host.answer('1.0.1.bin', (_, response) => {
      time = NOW + 49 * HOUR_MS
      response.end(artifactOf(NEXT))
    })
    assert.equal((await poll({ deps: { clock: () => time } })).kind, 'swapped')
    assert.equal(whatRuns(home).answers, '1.0.1')
    // The twin of the fault: at that time the manifest is no good any more.
    assert.equal((await failureOf(() => poll(at(time)))).code, 'ERR_TRUST_EXPIRED')
  })

  test('case 29: an expired manifest and an expired root in the state are no obstacle to fresh ones', async (t) => {
    const host = await startHost(t)
    const soon = formatDate(NOW + 24 * HOUR_MS)
    const dying = makeRootChain(2, (version) => (version === 2 ? { expires: soon } : {}))
    publish(host, { ...SAME, manifest: { chain: dying } })
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    assert.equal(loadState(home, settings.root, assert.fail).root.version, 2)
    const later = NOW + 60 * HOUR_MS
    assert.equal((await failureOf(() => poll(at(later)))).code, 'ERR_TRUST_ROOT_EXPIRED')
    const rollout = { issued: formatDate(later - HOUR_MS), expires: formatDate(later + DAY_MS) }
    publish(host, { ...NEXT, manifest: { chain: [...dying, makeRoot({ version: 3 })], rollout } })
    assert.equal((await poll(at(later))).kind, 'swapped')
    assert.equal(loadState(home, settings.root, assert.fail).root.version, 3)
  })

  test('case 33: a clock of 1970 counts as the day on which the updater was built', async (t) => {
    const host = await startHost(t)
    const stages = [{ at: formatDate(BUILT_AT_MS), percent: 100 }]
    publish(host, { ...NEXT, manifest: { rollout: { stages } } })
    const { home, poll, settings } = await makeMachine(t, host)
    assert.equal((await poll(at(0))).kind, 'swapped')
    // The signed date was ahead of this clock, so it taught nothing about the time.
    assert.equal(loadState(home, settings.root, assert.fail).timeFloorMs, 0)
    const rollout = { issued: '2026-01-01T00:00:00Z', expires: '2026-11-01T00:00:00Z' }
    publish(host, { ...NEXT, sequence: 12, manifest: { rollout } })
    assert.equal((await failureOf(() => poll(at(0)))).code, 'ERR_TRUST_EXPIRED')
  })

  test('case 33: a clock ten years ahead refuses, remembers nothing of it, and is no lock-out once it is right', async (t) => {
    const host = await startHost(t)
    publish(host, SAME)
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    const before = fs.readFileSync(home.state)
    publish(host, NEXT)
    // The roots of these tests are good until 2036.
    const error = await failureOf(() => poll(at(Date.UTC(2035, 10, 21))))
    assert.equal(error.code, 'ERR_TRUST_EXPIRED')
    assert.equal((await failureOf(() => poll(at(NOW + 3650 * DAY_MS)))).exitCode, 22)
    assert.deepEqual(fs.readFileSync(home.state), before)
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(loadState(home, settings.root, assert.fail).floors['stable']?.sequence, 11)
  })

  test('case 33: a clock that steps back a day in the middle of a poll changes nothing', async (t) => {
    const host = await startHost(t)
    publish(host, SAME)
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    const { timeFloorMs } = loadState(home, settings.root, assert.fail)
    assert.ok(timeFloorMs > 0)
    publish(host, NEXT)
    let time = NOW
    host.answer('version.json', (_, response) => {
      time = NOW - DAY_MS
      response.end(manifestOf(NEXT))
    })
    assert.equal((await poll({ deps: { clock: () => time } })).kind, 'swapped')
    assert.equal(loadState(home, settings.root, assert.fail).timeFloorMs, timeFloorMs)
  })

  test('case 33: a manifest of 2099 is refused, and moves neither the sequence nor the time', async (t) => {
    const host = await startHost(t)
    publish(host, SAME)
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    const { floors, timeFloorMs } = loadState(home, settings.root, assert.fail)
    const rollout = { issued: '2099-01-01T00:00:00Z', expires: '2099-01-15T00:00:00Z' }
    publish(host, { ...NEXT, sequence: 99, manifest: { rollout } })
    assert.equal((await failureOf(() => poll())).code, 'ERR_TRUST_DATE')
    const after = loadState(home, settings.root, assert.fail)
    assert.deepEqual([after.floors, after.timeFloorMs], [floors, timeFloorMs])
    publish(host, NEXT)
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 92: a clock that is hours ahead makes a stage early, and installs nothing but what is signed', async (t) => {
    const host = await startHost(t)
    const stages = [{ at: formatDate(NOW + 2 * HOUR_MS), percent: 100 }]
    publish(host, { ...NEXT, manifest: { rollout: { stages } } })
    const { home, poll } = await makeMachine(t, host)
    const waiting = await poll()
    assert.deepEqual(waiting.kind === 'checked' && [waiting.decision.kind, 'untilMs' in waiting.decision], [
      'wait',
      true,
    ])
    // Bytes that are not those of the release are refused at that time as at any other.
    host.serve('1.0.1.bin', Buffer.from('#!/bin/sh\necho 6.6.6\n'))
    assert.match((await failureOf(() => poll(at(NOW + 3 * HOUR_MS)))).code, /^ERR_BYTES_/)
    assert.equal(whatRuns(home).answers, '1.0.0')
    publish(host, { ...NEXT, manifest: { rollout: { stages } } })
    assert.equal((await poll(at(NOW + 3 * HOUR_MS))).kind, 'swapped')
    assert.equal(whatRuns(home).answers, '1.0.1')
  })

  test('case 92: a clock that is hours behind makes a stage late, and a missed stage updates all the same', async (t) => {
    const host = await startHost(t)
    const stages = [
      { at: formatDate(NOW + 12 * HOUR_MS), percent: 50 },
      { at: formatDate(NOW + 29 * HOUR_MS), percent: 100 },
    ]
    publish(host, { ...NEXT, manifest: { rollout: { stages, spread: '30m' } } })
    const { home, poll } = await makeMachine(t, host)
    // At NOW + 40 h, all of this.
    for (const behind of [40, 35, 29]) {
      const late = await poll(at(NOW + (40 - behind) * HOUR_MS))
      assert.equal(late.kind === 'checked' && late.decision.kind, 'wait')
    }
    assert.equal(whatRuns(home).answers, '1.0.0')
    // It slept through both stages, or its clock is right again.
    assert.equal((await poll(at(NOW + 40 * HOUR_MS))).kind, 'swapped')
  })

  test('case 92: no clock counts below the date of the last manifest, so a stage that has begun by then stays open', async (t) => {
    const host = await startHost(t)
    publish(host, SAME)
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    const { timeFloorMs } = loadState(home, settings.root, assert.fail)
    assert.equal(timeFloorMs, Math.floor((NOW - HOUR_MS) / 1000) * 1000)
    const opensAt = (time: number): Offer => ({
      ...NEXT,
      manifest: { rollout: { stages: [{ at: formatDate(time), percent: 100 }] } },
    })
    const floorMs = Math.max(timeFloorMs, BUILT_AT_MS)
    publish(host, opensAt(floorMs + 1000))
    const shut = await poll({ ...at(0), apply: false })
    assert.equal(shut.kind === 'checked' && shut.decision.kind, 'wait')
    publish(host, { ...opensAt(floorMs), sequence: 12 })
    assert.equal((await poll(at(0))).kind, 'swapped')
  })
})
