import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { jsonOf, readJson, Scene } from '../helpers/moult.ts'

const AGENT = '#!/bin/sh\n[ "$1" != --version ] || echo @VERSION@\n'

describe('what the owner of a machine lays down for updates', { timeout: 120_000 }, () => {
  let scene: Scene
  let project = ''
  let home = ''
  before(async () => {
    scene = new Scene('policy')
    project = scene.folder('project')
    home = scene.path('home')
    await scene.moultOk(['init', '--name', 'sensor', '--type', 'files', '--agent', 'agent-{version}'], { cwd: project })
    await release('1.0.0')
    const { url } = await scene.serve(project)
    const place = ['--home', home, '--server', url, '--root', join(project, 'trust', '1.root.json')]
    await scene.moultOk(['agent', 'install', ...place])
    await release('1.0.1')
  })
  after(() => scene.close())

  async function release(version: string): Promise<void> {
    scene.write(`project/agent-${version}`, AGENT.replace('@VERSION@', version), 0o755)
    await scene.moultOk(['release', version], { cwd: project })
  }
  const agent = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    scene.moult(['agent', ...args, '--home', home], { env })

  test('explain names the mode, the place, the window and what the update waits for', async () => {
    writeFileSync(join(home, 'agent.json'), JSON.stringify({ ...readJson(join(home, 'agent.json')), percent: 100 }))
    const night = { UPDATE_MAINTENANCE_WINDOW_START: '02:00', UPDATE_MAINTENANCE_WINDOW_END: '02:00', TZ: 'Asia/Tokyo' }
    const open = await agent(['explain'], night)
    assert.match(open.stdout, /^mode +auto on a vm \(the settings say so\): updates are installed$/m)
    assert.match(open.stdout, /^window +02:00 to 02:00 every day, Asia\/Tokyo: open$/m)
    assert.match(open.stdout, /^decision +install: newer$/m)
    assert.doesNotMatch(open.stdout, /^approval/m)

    const held = await agent(['explain'], { UPDATE_AUTO_APPROVE: 'false', DEPLOYMENT_MODE: 'kubernetes' })
    assert.match(
      held.stdout,
      /^mode +auto on a pod \(the settings say so\): updates are only reported\n +updates are only /m,
    )
    assert.match(held.stdout, /^approval +needed: moult agent approve 1\.0\.1$/m)
    assert.match(held.stdout, /^decision +wait: approval$/m)

    const capped = await agent(['explain', '--json'], { UPDATE_ROLLOUT_PERCENT: '0' })
    const { decision, percentCap, role } = jsonOf<{ decision: object; percentCap: number; role: object }>(capped)
    assert.deepEqual([percentCap, role], [0, { kind: 'install' }])
    assert.ok('reason' in decision && decision.reason === 'stage')
    assert.match((await agent(['explain'], { UPDATE_ROLLOUT_PERCENT: '0' })).stdout, /takes part up to 0 %$/m)
  })

  test('approve lets in what is offered, and takes it back', async () => {
    const wrong = await agent(['approve', '1.0.9'])
    assert.equal(wrong.code, 24)
    assert.match(wrong.stderr, /^error: not offered here: 1\.0\.9\nhint: The update server offers 1\.0\.1\.$/m)
    const needed = { UPDATE_AUTO_APPROVE: 'false' }
    const check = () => agent(['check', '--apply'], needed)
    assert.equal((await check()).stdout, 'Waiting with 1.0.1: approval\n')
    assert.match((await agent(['approve'])).stdout, /^Approved: 1\.0\.1 .*\nNothing waits for approvals here/)
    assert.deepEqual(jsonOf(await agent(['approve', '--revoke', '--json'])), { kind: 'revoked', versions: ['1.0.1'] })
    assert.equal((await agent(['approve', '--revoke'])).stdout, 'There was no such approval\n')
    assert.equal((await check()).stdout, 'Waiting with 1.0.1: approval\n')
    const approved = jsonOf(await agent(['approve', '1.0.1', '--json'], needed))
    assert.deepEqual([approved['kind'], approved['version'], approved['isNeeded']], ['approved', '1.0.1', true])
    assert.match((await agent(['explain'], needed)).stdout, /^approval +given$/m)
  })

  test('signal-only writes down what is available, and installs nothing; disabled asks nobody', async () => {
    const told = await agent(['check', '--apply'], { UPDATE_MODE: 'signal-only' })
    assert.deepEqual([told.code, told.stdout], [0, 'Update available: 1.0.1, to be brought by others\n'])
    assert.equal(readJson(join(home, 'available.json'))['version'], '1.0.1')
    const status = await agent(['status'], { UPDATE_MODE: 'signal-only' })
    assert.match(status.stdout, /^ +updates +are only reported: mode signal-only, on a vm \(the settings say so\)$/m)
    assert.match(status.stdout, /^ +available +1\.0\.1 \(newer\)$/m)
    const off = await agent(['check', '--apply'], { UPDATE_MODE: 'disabled', UPDATE_SERVER: 'http://127.0.0.1:1' })
    assert.deepEqual([off.code, off.stdout], [0, 'Not checked: updates are switched off by the settings\n'])
    const pod = await agent(['check', '--apply'], { DEPLOYMENT_MODE: 'container', UPDATE_MODE: 'vm-only' })
    assert.match(pod.stdout, /^Not checked: updates are off: the mode is vm-only, and this is a container /)
    assert.match(readFileSync(join(home, 'current'), 'utf8'), /^version=1\.0\.0$/m)
  })

  test('the restart of a program by a check is asked for by the method of the environment', async () => {
    const bin = scene.folder('bin')
    const calls = scene.path('calls')
    scene.write('bin/systemctl', `#!/bin/sh\necho "$*" > '${calls}'\n`, 0o755)
    const env = { UPDATE_RESTART_METHOD: 'systemd', PATH: `${bin}:${process.env['PATH']}` }
    const check = await agent(['check', '--apply'], env)
    assert.deepEqual([check.code, check.stdout], [100, 'Updated to 1.0.1: its restart was asked for\n'])
    assert.equal(readFileSync(calls, 'utf8'), 'restart --no-block sensor.service\n')
    assert.equal(existsSync(join(home, 'available.json')), false)
  })

  test('install switches off what polls say of the agent, and on again; status names the id that the logs know', async () => {
    const beaconOf = async () => [
      readJson(join(home, 'agent.json'))['beacon'],
      jsonOf(await agent(['status', '--json']))['beacon'],
    ]
    const [given, id] = await beaconOf()
    assert.equal(given, undefined)
    assert.match(String(id), /^[0-9a-f]{16}$/)
    assert.match((await agent(['status'])).stdout, new RegExp(`^ +beacon +${String(id)}$`, 'm'))
    assert.equal((await agent(['install', '--no-beacon'])).code, 0)
    assert.deepEqual(await beaconOf(), [false, undefined])
    assert.match((await agent(['status'])).stdout, /^ +beacon +none$/m)
    assert.equal((await agent(['install'])).code, 0)
    assert.deepEqual(await beaconOf(), [false, undefined])
    assert.equal((await agent(['install', '--beacon'])).code, 0)
    assert.deepEqual(await beaconOf(), [true, id])
    assert.match((await agent(['status'], { UPDATE_BEACON: 'false' })).stdout, /^ +beacon +none$/m)
  })

  test('install switches deltas off, and on again, and leaves them when it does not name them', async () => {
    for (const [option, kept] of [
      [[], undefined],
      [['--no-deltas'], false],
      [[], false],
      [['--deltas'], true],
    ] as const) {
      assert.equal((await agent(['install', ...option])).code, 0)
      assert.equal(readJson(join(home, 'agent.json'))['deltas'], kept)
    }
  })
})
