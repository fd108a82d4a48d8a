import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { basename } from 'node:path'
import { describe, test } from 'node:test'

import { agentStatus } from '../../../agent/report/agent-status.ts'
import { checkOnce } from '../../../agent/check-once.ts'
import { disk, type Disk } from '../../../agent/home/disk.ts'
import type { AgentEvent } from '../../../agent/events/events.ts'
import { readHistory } from '../../../agent/report/history.ts'
import { homeAt } from '../../../agent/home/home.ts'
import { prepareLaunch } from '../../../agent/trial/launch.ts'
import { Updater } from '../../../agent/updater.ts'
import { formatDate } from '../../../manifests/index.ts'
import { BOUNDED, failureOf, laterBy, makeMachine, NOW, publish, startHost, waitFor } from '../field.ts'
import { readPrometheus } from '../prometheus-text.ts'

const HOUR_MS = 3_600_000

describe('what happens to an agent', BOUNDED, () => {
  test('is in its history: an update that is confirmed, one that fails, and what a host does meanwhile', async (t) => {
    const host = await startHost(t)
    const health = { command: ['test', '-e', '/dev/null'] }
    const { home, settings, deps } = await makeMachine(t, host, { health })
    const check = (laterMs = 0, given = settings) => checkOnce(given, { apply: true }, { ...deps, ...laterBy(laterMs) })
    await failureOf(() => check())
    await failureOf(() => check())
    publish(host, { version: '1.0.1' })
    await check()
    prepareLaunch(home, assert.fail)
    await check(61_000)
    publish(host, { version: '1.0.2', sequence: 11 })
    await check(120_000)
    prepareLaunch(home, assert.fail)
    await check(20 * 60_000, { ...settings, health: { command: ['false'] } })
    publish(host, { version: '1.0.3', sequence: 12, artifact: Buffer.from('#!/bin/sh\nexit 1\n') })
    await failureOf(() => check(20 * 60_000))
    const entries = readHistory(home)
    assert.deepEqual(
      entries.map(({ kind, version, previous, to, reason, code }) =>
        [kind, version, previous, to, reason, code].filter((text) => text !== undefined).join(' '),
      ),
      [
        'installed 1.0.0',
        'check-failed ERR_NETWORK_STATUS',
        'swapped 1.0.1 1.0.0',
        'up-to-date',
        'confirmed 1.0.1',
        'swapped 1.0.2 1.0.1',
        'up-to-date',
        'rolled-back 1.0.2 1.0.1 health',
        'quarantined 1.0.3 preflight',
        'check-failed ERR_STAGE_PREFLIGHT',
      ],
    )
    const swapped = entries[2]
    assert.ok((swapped?.bytes ?? 0) > 50 && (swapped?.duration_ms ?? -1) >= 0, JSON.stringify(swapped))
    assert.deepEqual(agentStatus(settings).history, entries.slice(-5))
    const values = new Map(readPrometheus(fs.readFileSync(home.metrics, 'utf8')).map((each) => [each.name, each.value]))
    assert.equal(values.get('moult_updates_total'), 2)
    assert.equal(values.get('moult_rollbacks_total'), 1)
    assert.equal(values.get('moult_checks_total'), 7)
    assert.equal(values.get('moult_check_failures_total'), 3)
  })

  test('is written down by an embedded updater, too, before its host program hears of it', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home } = await makeMachine(t, host)
    let atSwap: string[] = []
    let isOver = false
    const onEvent = (event: AgentEvent): void => {
      if (event.kind === 'swapped') atSwap = readHistory(home).map(({ kind }) => kind)
    }
    const updater = new Updater({
      version: '1.0.0',
      home: home.path,
      settings: { server: host.url },
      env: {},
      firstPollMs: 0,
      onEvent,
      restart: () => void (isOver = true),
    })
    updater.start()
    await waitFor(() => isOver, 'the swap')
    await updater.stop()
    assert.deepEqual(atSwap, ['installed', 'swapped'])
    assert.equal(agentStatus((await makeMachine(t, host)).settings).history.length, 1, 'each home has its own')
    const metrics = readPrometheus(fs.readFileSync(home.metrics, 'utf8'))
    assert.equal(metrics.find(({ name }) => name === 'moult_updates_total')?.value, 1)
  })

  test('costs a poll that brings nothing new one small file, and no more', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0' })
    const { home, settings, deps } = await makeMachine(t, host)
    const written: string[] = []
    const noted = (path: string, bytes: number): void => void written.push(`${basename(path)} ${bytes < 8192}`)
    const watching: Disk = {
      ...disk,
      writeFile(path, content, mode) {
        noted(path, content.length)
        disk.writeFile(path, content, mode)
      },
      append(path, content, mode) {
        noted(path, content.length)
        disk.append(path, content, mode)
      },
      create(path, mode) {
        noted(path, 0)
        return disk.create(path, mode)
      },
    }
    const given = { ...settings, home: homeAt(home.path, watching) }
    for (let round = 0; round < 2; round += 1) await checkOnce(given, { apply: true }, deps)
    assert.ok(written.length > 1, 'the first poll writes the manifest and the state')
    written.length = 0
    for (let round = 0; round < 3; round += 1) await checkOnce(given, { apply: true }, deps)
    assert.deepEqual(
      written,
      Array.from({ length: 3 }, () => 'metrics.prom.new true'),
    )
  })

  test('fails no update when it cannot be written down', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, settings, deps } = await makeMachine(t, host)
    fs.rmSync(home.history)
    for (const path of [home.history, home.metrics, home.status])
      fs.mkdirSync(`${path}/in the way`, { recursive: true })
    assert.equal((await checkOnce(settings, { apply: true }, deps)).kind, 'swapped')
    assert.equal(prepareLaunch(home, assert.fail).version, '1.0.1')
    assert.deepEqual(agentStatus(settings).history, [])
  })
})

describe('a manifest that nobody renews', BOUNDED, () => {
  test('case 28: is warned about once, when less than a quarter of its life is left, by any number of processes', async (t) => {
    const host = await startHost(t)
    const offer = (sequence: number, issuedMs: number, expiresMs: number): void =>
      publish(host, {
        version: '1.0.0',
        sequence,
        manifest: { rollout: { issued: formatDate(issuedMs), expires: formatDate(expiresMs) } },
      })
    offer(10, NOW - HOUR_MS, NOW + 39 * HOUR_MS)
    const { home, settings, deps, events } = await makeMachine(t, host)
    const warningsAfter = async (hours: number): Promise<string[]> => {
      events.length = 0
      await checkOnce(settings, { apply: true }, { ...deps, clock: () => NOW + hours * HOUR_MS })
      return events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []))
    }
    assert.deepEqual(await warningsAfter(28), [], 'more than a quarter is left')
    assert.equal(agentStatus(settings).lastCheck?.isExpiring, undefined)
    const [warning, ...others] = await warningsAfter(30)
    assert.match(warning ?? '', /^the manifest expires at .*Z and was not renewed yet/)
    assert.deepEqual(others, [])
    assert.equal(agentStatus(settings).lastCheck?.isExpiring, true)
    assert.deepEqual(await warningsAfter(31), [], 'it was said')
    assert.equal(readHistory(home).filter(({ kind }) => kind === 'warning').length, 1)
    host.answer('version.json', (_, response) => void response.writeHead(503).end())
    await failureOf(() => warningsAfter(32))
    offer(10, NOW - HOUR_MS, NOW + 39 * HOUR_MS)
    assert.deepEqual(await warningsAfter(33), [], 'nor after an outage')
    offer(11, NOW + 33 * HOUR_MS, NOW + 73 * HOUR_MS)
    assert.deepEqual(await warningsAfter(34), [], 'it was renewed')
    assert.equal(agentStatus(settings).lastCheck?.isExpiring, undefined)
    assert.equal((await warningsAfter(64)).length, 1, 'of the next manifest, too')
    assert.equal((await failureOf(() => warningsAfter(74))).code, 'ERR_TRUST_EXPIRED')
  })
})
