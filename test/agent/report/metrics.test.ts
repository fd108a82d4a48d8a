import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { AGENT_STATES } from '../../../agent/report/agent-state.ts'
import type { AgentEvent } from '../../../agent/events/events.ts'
import { disk } from '../../../agent/home/disk.ts'
import { homeAt } from '../../../agent/home/home.ts'
import { Journal } from '../../../agent/report/journal.ts'
import { writeLaunchRecord } from '../../../agent/home/launch-record.ts'
import { writeMetrics } from '../../../agent/report/metrics.ts'
import { MOULT_VERSION } from '../../../agent/moult-version.ts'
import { loadState, saveState, withQuarantined } from '../../../agent/home/state.ts'
import { formatDate, MoultError } from '../../../manifests/index.ts'
import { layOutHome, makeDir, makeMachine, NAME, NOW, PLATFORM, publish, settingsAt, startHost } from '../field.ts'
import { readPrometheus } from '../prometheus-text.ts'

const SERVER = { url: 'http://127.0.0.1:1' }
const failed = (code: 'ERR_NETWORK_TIMEOUT' | 'ERR_TRUST_SIGNATURE') => {
  return { kind: 'failed' as const, error: new MoultError(code, 'x') }
}

const noEvent = (event: AgentEvent): void => assert.fail(`unexpected: ${event.kind}`)

function valuesOf(path: string): Map<string, number> {
  const samples = readPrometheus(fs.readFileSync(path, 'utf8'))
  for (const { labels } of samples) assert.equal(labels['name'], NAME)
  return new Map(samples.map(({ name, labels, value }) => [`${name} ${labels['state'] ?? ''}`.trim(), value]))
}

describe('the metrics', () => {
  test('say what runs, how polls end, and until when the manifest is good', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', sequence: 42 })
    const { home, settings, deps, poll } = await makeMachine(t, host)
    new Journal(settings, deps).check(await poll())
    const samples = readPrometheus(fs.readFileSync(home.metrics, 'utf8'))
    assert.deepEqual(samples[0], {
      name: 'moult_info',
      value: 1,
      labels: {
        name: NAME,
        home: home.path,
        version: '1.0.0',
        channel: 'stable',
        platform: PLATFORM,
        moult_version: MOULT_VERSION,
      },
    })
    const now = Math.floor(NOW / 1000)
    const { rollout } = JSON.parse(fs.readFileSync(home.manifest, 'utf8')) as { rollout: { expires: string } }
    assert.deepEqual(Object.fromEntries([...valuesOf(home.metrics)].filter(([, value]) => value !== 0)), {
      moult_info: 1,
      'moult_state confirmed': 1,
      moult_checks_total: 1,
      moult_last_check_timestamp_seconds: now,
      moult_last_success_timestamp_seconds: now,
      moult_manifest_sequence: 42,
      moult_manifest_expires_timestamp_seconds: Date.parse(rollout.expires) / 1000,
    })
    assert.equal(fs.statSync(home.metrics).mode & 0o777, 0o644)
  })

  test('count on over restarts, and begin at 0 again when the file was damaged', async (t) => {
    const home = homeAt(makeDir(t))
    await layOutHome(home)
    const settings = settingsAt(home, SERVER)
    for (let start = 1; start <= 3; start += 1) {
      let now = NOW + start * 1000
      const journal = new Journal(settings, { clock: () => now, emit: noEvent })
      journal.check(failed('ERR_NETWORK_TIMEOUT'))
      now += 500
      journal.note({ kind: 'swapped', version: '1.0.1', previous: '1.0.0' })
      journal.note({ kind: 'rolled-back', version: '1.0.1', to: '1.0.0', reason: 'tries' })
      const values = valuesOf(home.metrics)
      for (const name of ['checks', 'check_failures', 'updates', 'rollbacks'])
        assert.equal(values.get(`moult_${name}_total`), start, name)
      assert.equal(values.get('moult_last_check_error'), 1)
      assert.ok(!values.has('moult_last_success_timestamp_seconds'), 'no check has succeeded')
    }
    fs.writeFileSync(home.metrics, 'moult_checks_total{} x\n')
    new Journal(settings, { clock: () => NOW, emit: noEvent }).check(failed('ERR_TRUST_SIGNATURE'))
    assert.equal(valuesOf(home.metrics).get('moult_checks_total'), 1)
  })

  test('name one state at any time, and what is on trial or in quarantine', async (t) => {
    const home = homeAt(makeDir(t))
    await layOutHome(home)
    const settings = settingsAt(home, SERVER)
    const write = (): Map<string, number> => {
      assert.equal(writeMetrics(settings, {}, NOW), undefined)
      const values = valuesOf(home.metrics)
      const states = AGENT_STATES.filter((state) => values.get(`moult_state ${state}`) === 1)
      assert.equal(states.length, 1)
      return new Map([...values, [states[0] ?? '', 1]])
    }
    assert.ok(write().has('confirmed'))
    writeLaunchRecord(home.disk, home.current, { version: '1.0.0', trial: { started: 0, tries: 3 } })
    const onTrial = write()
    assert.ok(onTrial.has('trial') && onTrial.get('moult_on_trial') === 1)
    writeLaunchRecord(home.disk, home.current, { version: '1.0.0', failed: { version: '1.0.1', reason: 'tries' } })
    assert.ok(write().has('rolled-back'))
    const entry = { sha256: '0'.repeat(64), version: '1.0.1', reason: 'tries', at: formatDate(NOW) }
    saveState(home, withQuarantined(loadState(home, settings.root, assert.fail), entry))
    writeLaunchRecord(home.disk, home.current, { version: '1.0.0' })
    new Journal(settings, { clock: () => NOW, emit: noEvent }).check(failed('ERR_TRUST_SIGNATURE'))
    const afterFailure = write()
    assert.ok(afterFailure.has('failed') && afterFailure.get('moult_quarantined') === 1)
    fs.rmSync(home.current)
    fs.rmSync(home.confirmed)
    assert.ok(write().has('not-installed'))
  })

  test('are whole for whoever reads while they are replaced, and escape what a label cannot hold', async (t) => {
    const home = homeAt(join(makeDir(t), 'a "home"\\ of\nmine'))
    await layOutHome(home)
    const settings = settingsAt(home, SERVER)
    assert.equal(writeMetrics(settings, { checks: 1 }, NOW), undefined)
    const reader = fs.openSync(home.metrics, 'r')
    assert.equal(writeMetrics(settings, { checks: 1 }, NOW), undefined)
    const [first] = readPrometheus(fs.readFileSync(reader, 'utf8'))
    fs.closeSync(reader)
    assert.equal(first?.labels['home'], home.path)
    assert.equal(valuesOf(home.metrics).get('moult_checks_total'), 2)
  })

  test('go where the settings say, readable for others whatever the umask', async (t) => {
    const home = homeAt(makeDir(t))
    await layOutHome(home)
    const path = join(makeDir(t), 'moult.prom')
    const before = process.umask(0o077)
    try {
      assert.equal(writeMetrics(settingsAt(home, SERVER, { metricsFile: path }), { checks: 1 }, NOW), undefined)
    } finally {
      process.umask(before)
    }
    assert.equal(valuesOf(path).get('moult_checks_total'), 1)
    assert.equal(fs.statSync(path).mode & 0o777, 0o644)
    assert.ok(!fs.existsSync(home.metrics))
    const beside = settingsAt(home, SERVER, { metricsFile: 'beside.prom' })
    assert.equal(writeMetrics(beside, {}, NOW), undefined)
    assert.ok(fs.existsSync(join(home.path, 'beside.prom')))
  })

  test('change the mode of no other file, when somebody puts a link in their place', async (t) => {
    const directory = makeDir(t)
    const home = homeAt(makeDir(t), {
      ...disk,
      writeFile(path, content, mode) {
        disk.writeFile(path, content, mode)
        if (!path.startsWith(directory)) return
        fs.rmSync(path)
        fs.symlinkSync(victim, path)
      },
    })
    const victim = join(makeDir(t), 'secret')
    fs.writeFileSync(victim, 'secret', { mode: 0o600 })
    await layOutHome(home)
    // What loads the settings finds the home by its path; the disk is that of the attack.
    const settings = { ...settingsAt(home, SERVER, { metricsFile: join(directory, 'moult.prom') }), home }
    writeMetrics(settings, { checks: 1 }, NOW)
    assert.equal(fs.statSync(victim).mode & 0o777, 0o600)
  })

  test('that cannot be written where the settings say are one warning, and no failure', async (t) => {
    const home = homeAt(makeDir(t))
    await layOutHome(home)
    const warnings: string[] = []
    const settings = settingsAt(home, SERVER, { metricsFile: join(home.path, 'absent', 'moult.prom') })
    const emit = (event: AgentEvent): void => void warnings.push(event.kind === 'warning' ? event.message : event.kind)
    const journal = new Journal(settings, { clock: () => NOW, emit })
    for (let round = 0; round < 3; round += 1) journal.check(failed('ERR_NETWORK_TIMEOUT'))
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /^metrics cannot be written: .*ENOENT/)
  })

  test('are what promtool takes', async (t) => {
    if (spawnSync('promtool', ['--version']).status !== 0)
      return t.skip('promtool is not at hand; the strict reader of these tests stands in for it')
    const host = await startHost(t)
    publish(host, { version: '1.0.0' })
    const { home, settings, deps, poll } = await makeMachine(t, host)
    const journal = new Journal(settings, deps)
    journal.check(await poll())
    journal.check(failed('ERR_NETWORK_TIMEOUT'))
    const input = fs.readFileSync(home.metrics)
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}${stderr}`)
  })
})
