import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { installAgent, type InstallOptions, type InstallResult } from '../../../agent/install/install.ts'
import { homeAt } from '../../../agent/home/home.ts'
import { readLaunchRecord } from '../../../agent/home/launch-record.ts'
import { makeKey, makeRoot } from '../../fixtures/signed-manifest.ts'
import { assertTidy, BOUNDED, failureOf, type Host, makeDir, NAME, NOW, program, publish, startHost } from '../field.ts'

const DEPS = { clock: () => NOW, emit: () => undefined }

interface Rig {
  readonly dir: string
  readonly home: string
  readonly host: Host
  readonly install: (overrides?: Partial<InstallOptions>) => Promise<InstallResult>
}

async function makeRig(t: TestContext): Promise<Rig> {
  const dir = makeDir(t)
  const host = await startHost(t)
  const root = join(dir, '1.root.json')
  fs.writeFileSync(root, JSON.stringify(makeRoot()))
  const home = join(dir, 'a home')
  const options: InstallOptions = { home, root, settings: { server: host.url }, env: {} }
  return { dir, home, host, install: (overrides = {}) => installAgent({ ...options, ...overrides }, DEPS) }
}

/** What the launcher of a home runs. */
function launched(home: string): string {
  return spawnSync(join(home, 'launch'), ['--version'], { encoding: 'utf8' }).stdout.trim()
}

describe('installing an agent', { ...BOUNDED, concurrency: true }, () => {
  test('takes the first version from the server, verified, and lays out a home that runs', async (t) => {
    const { home, host, install } = await makeRig(t)
    publish(host, { version: '1.4.2' })
    assert.deepEqual(await install(), { home, name: NAME, version: '1.4.2', launcher: join(home, 'launch') })
    assert.equal(launched(home), '1.4.2')
    assert.deepEqual(readLaunchRecord(homeAt(home).current), { version: '1.4.2' })
    assert.deepEqual(JSON.parse(fs.readFileSync(join(home, 'agent.json'), 'utf8')), { server: host.url })
    assert.equal(fs.statSync(join(home, 'agent.json')).mode & 0o777, 0o600)
    assertTidy(homeAt(home))
  })

  test('adopts a program that is there, also a read-only one', async (t) => {
    const { dir, home, host, install } = await makeRig(t)
    const path = join(dir, 'agent')
    fs.writeFileSync(path, program('1.0.0'), { mode: 0o444 })
    await install({ program: { path, version: '1.0.0' } })
    assert.equal(launched(home), '1.0.0')
    assert.deepEqual(host.requests, [])
    for (const version of ['', '1', 'v1.0.0', '../x']) {
      const error = await failureOf(() =>
        install({ home: join(dir, `other${version.length}`), program: { path, version } }),
      )
      assert.equal(error.code, 'ERR_USAGE_INVALID')
    }
    const missing = await failureOf(() =>
      install({ home: join(dir, 'third'), program: { path: join(dir, 'no'), version: '1.0.0' } }),
    )
    assert.equal(missing.exitCode, 25)
    assertTidy(homeAt(join(dir, 'third')))
  })

  test('can be repeated: settings and launcher are renewed, the version stays', async (t) => {
    const { home, host, install } = await makeRig(t)
    publish(host, { version: '1.4.2' })
    await install()
    fs.writeFileSync(join(home, 'launch'), 'broken')
    publish(host, { version: '1.4.3', sequence: 11 })
    const again = await install({ settings: { server: host.url, interval: '1h' } })
    assert.equal(again.version, '1.4.2')
    assert.equal(launched(home), '1.4.2')
    assert.match(fs.readFileSync(join(home, 'agent.json'), 'utf8'), /"interval": "1h"/)
  })

  test('keeps the settings and the root that a repeated call does not name', async (t) => {
    const { home, host, install } = await makeRig(t)
    publish(host, { version: '1.4.2' })
    const config = join(home, 'agent.json')
    const command = ['true']
    await install({ settings: { server: host.url, channel: 'stable', interval: '1h', health: { command } } })
    await install({ root: undefined, settings: {} })
    const kept = { server: host.url, channel: 'stable', interval: '1h', health: { command } }
    assert.deepEqual(JSON.parse(fs.readFileSync(config, 'utf8')), kept)
    await install({ root: undefined, settings: { interval: '2h', health: { url: `${host.url}/health` } } })
    assert.deepEqual(JSON.parse(fs.readFileSync(config, 'utf8')), {
      ...kept,
      interval: '2h',
      health: { command, url: `${host.url}/health` },
    })
  })

  test('writes no settings that do not hold, as they would be kept', async (t) => {
    const { home, host, install } = await makeRig(t)
    for (const wrong of [{ interval: '10ms' }, { server: 'localhost:8090' }, { tries: Number.NaN }]) {
      const error = await failureOf(() => install({ settings: { server: host.url, ...wrong } }))
      assert.equal(error.code, 'ERR_CONFIG_INVALID')
      assert.equal(fs.existsSync(home), false)
    }
  })

  test('asks for a server and a root that neither the call nor the home names', async (t) => {
    const { host, install } = await makeRig(t)
    const serverless = await failureOf(() => install({ settings: {} }))
    assert.deepEqual([serverless.code, serverless.hint], ['ERR_USAGE_INVALID', 'Name it with --server <url>.'])
    const rootless = await failureOf(() => install({ root: undefined, settings: { server: host.url } }))
    assert.deepEqual([rootless.code, rootless.message], ['ERR_USAGE_INVALID', 'no root document is given'])
    assert.match(rootless.hint ?? '', /--root <file>/)
  })

  test('brings a version back whose files are gone, as its error message promises', async (t) => {
    const { home, host, install } = await makeRig(t)
    publish(host, { version: '1.4.2' })
    await install()
    fs.rmSync(join(home, 'versions'), { recursive: true })
    await install()
    assert.equal(launched(home), '1.4.2')
  })

  test('refuses another root over the pinned one, and one that is none', async (t) => {
    const { dir, host, install } = await makeRig(t)
    publish(host, { version: '1.4.2' })
    await install()
    const root = join(dir, 'other.json')
    fs.writeFileSync(root, JSON.stringify(makeRoot({ name: 'other-agent' })))
    assert.equal((await failureOf(() => install({ root }))).code, 'ERR_USAGE_EXISTS')
    fs.writeFileSync(root, JSON.stringify(makeRoot({ signers: [makeKey('thief')] })))
    assert.equal((await failureOf(() => install({ root }))).exitCode, 22)
    assert.equal((await failureOf(() => install({ root: join(dir, 'absent') }))).code, 'ERR_CONFIG_MISSING')
  })

  test('says why nothing was installed, and can be repeated then', async (t) => {
    const { home, host, install } = await makeRig(t)
    assert.equal((await failureOf(() => install())).code, 'ERR_NETWORK_STATUS')
    publish(host, { version: '1.4.2', manifest: { rollout: { paused: true } } })
    const error = await failureOf(() => install())
    assert.equal(error.code, 'ERR_POLICY_REFUSED')
    assert.match(error.message, /paused/)
    publish(host, { version: '1.4.2', sequence: 11, manifest: { releaseSigners: [makeKey('thief')] } })
    assert.equal((await failureOf(() => install())).code, 'ERR_TRUST_SIGNATURE')
    assert.equal(fs.existsSync(join(home, 'current')), false)
    publish(host, { version: '1.4.2', sequence: 12 })
    assert.equal((await install()).version, '1.4.2')
  })
})
