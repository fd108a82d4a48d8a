import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { type AvailableUpdate, readAvailable } from '../../../agent/report/available.ts'
import { checkOnce } from '../../../agent/check-once.ts'
import type { SettingsFile } from '../../../agent/settings/settings-file.ts'
import { formatDate } from '../../../manifests/index.ts'
import { startAgentProcess, works } from '../agent-process.ts'
import { makeDir, makeMachine, NOW, publish, settingsAt, startHost, waitFor } from '../field.ts'

const IMAGE = 'registry.example.com/heartbeat@sha256:0123'
const SIGNAL_ONLY = { mode: 'signal-only' } as const
const HOUR_MS = 3_600_000

function offerOf(version: string, sequence: number, rollout = {}) {
  return { version, sequence, manifest: { release: { container_image: IMAGE }, rollout } }
}

describe('an update that is left to others', { timeout: 240_000, concurrency: 3 }, () => {
  test('is written down with its image, and is never downloaded', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const { home, deps, events } = await makeMachine(t, host)
    const result = await checkOnce(settingsAt(home, host, SIGNAL_ONLY), { apply: true }, deps)
    assert.equal(result.kind, 'checked')
    assert.deepEqual(JSON.parse(fs.readFileSync(home.available, 'utf8')), {
      version: '1.0.1',
      container_image: IMAGE,
      release_date: '2026-11-21T02:00:00Z',
      reason: 'newer',
      since: formatDate(NOW),
      running: '1.0.0',
      sequence: 10,
    })
    assert.equal(fs.statSync(home.available).mode & 0o777, 0o644)
    assert.deepEqual(host.requests, ['version.json'])
    assert.deepEqual(
      events.filter(({ kind }) => kind === 'update-available'),
      [{ kind: 'update-available', version: '1.0.1', reason: 'newer', running: '1.0.0', image: IMAGE }],
    )
    const twin = await checkOnce(settingsAt(home, host), { apply: true }, deps)
    assert.equal(twin.kind, 'swapped')
  })

  test('keeps the time when it was found, is replaced by a newer one, and goes when nothing is available', async (t) => {
    const host = await startHost(t)
    const { home, deps } = await makeMachine(t, host)
    const signalFile = join(makeDir(t), 'update.json')
    const settings = settingsAt(home, host, { ...SIGNAL_ONLY, signalFile })
    const check = async (laterMs: number): Promise<AvailableUpdate | undefined> => {
      await checkOnce(settings, { apply: true }, { ...deps, clock: () => NOW + laterMs })
      const available = readAvailable(home.available)
      assert.deepEqual(readAvailable(signalFile), available)
      return available
    }
    publish(host, offerOf('1.0.0', 9))
    assert.equal(await check(0), undefined)
    publish(host, offerOf('1.0.1', 10))
    assert.equal((await check(0))?.since, formatDate(NOW))
    const { mtimeMs } = fs.statSync(home.available)
    assert.equal((await check(HOUR_MS))?.since, formatDate(NOW))
    assert.equal(fs.statSync(home.available).mtimeMs, mtimeMs, 'nothing new, nothing written')
    publish(host, offerOf('1.0.2', 11))
    const newer = await check(2 * HOUR_MS)
    assert.deepEqual([newer?.version, newer?.since, newer?.sequence], ['1.0.2', formatDate(NOW + 2 * HOUR_MS), 11])
    publish(host, offerOf('1.0.2', 12, { paused: true }))
    assert.equal(await check(2 * HOUR_MS), undefined)
    assert.equal(fs.existsSync(home.available) || fs.existsSync(signalFile), false)
  })

  test('is only there while this host may have it', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const { home, deps } = await makeMachine(t, host)
    const closed = formatDate(NOW - HOUR_MS).slice(11, 16)
    const holds: Partial<SettingsFile>[] = [
      { approval: true },
      { percent: 0 },
      { windows: [{ start: formatDate(NOW - 2 * HOUR_MS).slice(11, 16), end: closed, timezone: 'UTC' }] },
    ]
    for (const held of holds) {
      await checkOnce(settingsAt(home, host, { ...SIGNAL_ONLY, ...held }), { apply: true }, deps)
      assert.equal(fs.existsSync(home.available), false, JSON.stringify(held))
      await checkOnce(settingsAt(home, host, SIGNAL_ONLY), { apply: true }, deps)
      assert.equal(fs.existsSync(home.available), true)
    }
  })

  test('is told where autoInstall is off, and not any more when the updater may install again', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const { home, deps } = await makeMachine(t, host)
    await checkOnce(settingsAt(home, host, { autoInstall: false }), { apply: false }, deps)
    assert.equal(readAvailable(home.available)?.version, '1.0.1')
    await checkOnce(settingsAt(home, host), { apply: false }, deps)
    assert.equal(readAvailable(home.available), undefined)
  })

  test('fails no check when its file cannot be written, and says so of the signal file', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const { home, deps, events } = await makeMachine(t, host)
    fs.mkdirSync(join(home.available, 'x'), { recursive: true })
    const settings = settingsAt(home, host, { ...SIGNAL_ONLY, signalFile: '/nowhere/at/all.json' })
    assert.equal((await checkOnce(settings, { apply: true }, deps)).kind, 'checked')
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []))
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /^the signal file: .*\/nowhere\/at\/all\.json/)
  })

  test('is not read from a file of another kind', (t) => {
    const path = join(makeDir(t), 'available.json')
    for (const text of ['', '{', 'null', '[]', '{"version":"1.0.1"}', '{"version":1}']) {
      fs.writeFileSync(path, text)
      assert.equal(readAvailable(path), undefined, text)
    }
  })
})

describe('an updater that only reports', { timeout: 240_000, concurrency: 3 }, () => {
  test('polls on, tells an update once, and counts as running what it is part of', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.2', 10))
    const machine = await makeMachine(t, host)
    // As after a rollout of a new image beside an older home.
    const agent = startAgentProcess(t, machine, { version: '1.0.1', settings: SIGNAL_ONLY })
    await waitFor(() => host.requests.length >= 3, 'three polls')
    await works(agent)
    const told = agent.lines.filter((line) => line.includes('"kind":"update-available"'))
    assert.ok(told.length >= 2)
    assert.deepEqual(
      told.map((line) => (JSON.parse(line) as { isRepeat?: boolean }).isRepeat),
      told.map((_, index) => index > 0),
    )
    assert.equal(readAvailable(machine.home.available)?.running, '1.0.1')
    assert.match(host.headers[0]?.['user-agent'] ?? '', /^heartbeat-agent\/1\.0\.1 /)
    assert.ok(host.requests.every((path) => path === 'version.json'))
  })

  test('needs nothing installed: the image holds the program', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const machine = await makeMachine(t, host)
    for (const path of [machine.home.current, machine.home.confirmed]) fs.rmSync(path)
    fs.rmSync(machine.home.versions, { recursive: true })
    const agent = startAgentProcess(t, machine, { settings: SIGNAL_ONLY })
    await agent.line(/"kind":"update-available"/)
    assert.equal(agent.has(/"kind":"(?:warning|check-failed)"/), false)
    assert.equal(readAvailable(machine.home.available)?.version, '1.0.1')
    const twin = startAgentProcess(t, machine)
    await twin.line(/"kind":"check-failed".*ERR_HOME_INVALID/)
  })

  test('is what the updater becomes in a container without a volume, and it says so', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const machine = await makeMachine(t, host)
    const agent = startAgentProcess(t, machine, { settings: { deployment: 'pod' } })
    await agent.line(/"kind":"warning".*updates are only reported: this is a pod .* lies on no volume/)
    await agent.line(/"kind":"update-available"/)
    await works(agent)
    assert.equal(agent.child.exitCode, null)
    assert.ok(host.requests.every((path) => path === 'version.json'))
  })

  test('is none in a container with vm-only: it says so once and polls nothing', async (t) => {
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const machine = await makeMachine(t, host)
    const agent = startAgentProcess(t, machine, { settings: { deployment: 'container', mode: 'vm-only' } })
    await agent.line(/"kind":"warning".*updates are off: the mode is vm-only, and this is a container/)
    await works(agent)
    assert.deepEqual(host.requests, [])
    const twin = startAgentProcess(t, machine, { settings: { mode: 'vm-only' } })
    assert.equal((await twin.ended).code, 100)
  })

  test('becomes an installing one on a volume', async (t) => {
    const volume = fs.existsSync('/dev/shm') ? fs.mkdtempSync('/dev/shm/moult-agent-') : undefined
    if (volume === undefined) return t.skip('no /dev/shm here')
    t.after(() => fs.rmSync(volume, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }))
    const host = await startHost(t)
    publish(host, offerOf('1.0.1', 10))
    const machine = await makeMachine(t, host, {}, join(volume, 'home'))
    const agent = startAgentProcess(t, machine, { settings: { deployment: 'pod' } })
    assert.equal((await agent.ended).code, 100)
    assert.equal(agent.has(/"kind":"warning"/), false)
  })
})
