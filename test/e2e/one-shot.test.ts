import assert from 'node:assert/strict'
import { readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { type Finished, jsonOf, MAIN, Scene, type Started } from '../helpers/moult.ts'

/** Knows nothing of updates; runs until it is told to stop. */
const AGENT = `#!/bin/sh
if [ "$1" = --version ]; then echo @VERSION@; exit; fi
echo "agent @VERSION@ runs, try \${MOULT_TRIAL:-none}"
trap 'exit 0' TERM
while :; do sleep 0.1; done
`
const PROBATION_MS = 3000

describe('a program that is updated by a cron job', { timeout: 60_000 }, () => {
  let scene: Scene
  let project = ''
  let home = ''
  let agent: Started
  let installed: Finished
  before(async () => {
    scene = new Scene('one shot')
    project = scene.folder('cron project')
    home = scene.path('cron home')
    const begin = ['init', '--name', 'cron-agent', '--type', 'files', '--agent', 'agent-{version}']
    await scene.moultOk(begin, { cwd: project })
    await release('1.0.0')
    const { url } = await scene.serve(project)
    const place = ['--home', home, '--server', url, '--root', join(project, 'trust', '1.root.json')]
    const first = ['agent', 'install', ...place, '--probation', `${PROBATION_MS / 1000}s`, '--tries', '2']
    installed = await scene.moultOk(first)
  })
  after(() => scene.close())

  async function release(version: string): Promise<void> {
    scene.write(`cron project/agent-${version}`, AGENT.replaceAll('@VERSION@', version), 0o755)
    await scene.moultOk(['release', version], { cwd: project })
  }
  const agentCommand = (command: string, ...args: string[]) => scene.moult(['agent', command, '--home', home, ...args])
  const launch = (): Started => scene.start(join(home, 'launch'), [])
  async function restart(): Promise<void> {
    agent.kill('SIGTERM')
    await agent.ended
    agent = launch()
  }

  test('the first installation speaks of no update', () => {
    assert.equal(installed.stdout.split('\n')[0], `Installed cron-agent 1.0.0 in ${home}`)
    const lines = installed.stderr.trimEnd().split('\n')
    assert.match(lines[0] ?? '', /^Installing the first version: 1\.0\.0 \(/)
    assert.deepEqual(lines.slice(1), ['Verified and staged: 1.0.0', 'In place: 1.0.0'])
  })

  test('a unit is all there is on stdout; server, root and settings are those of the home', async () => {
    const config = readFileSync(join(home, 'agent.json'), 'utf8')
    const { stdout, stderr } = await agentCommand('install', '--unit', 'systemd')
    assert.match(stdout, /^\[Unit\]\n[^]*\nWantedBy=multi-user\.target\n$/)
    assert.equal(stderr, `Installed cron-agent 1.0.0 in ${home}\nFor /etc/systemd/system/cron-agent.service:\n`)
    assert.equal(readFileSync(join(home, 'agent.json'), 'utf8'), config)
    const { unit } = jsonOf<{ unit: { text: string } }>(await agentCommand('install', '--unit', 'systemd', '--json'))
    assert.equal(unit.text, stdout)
    const written = scene.path('written.service')
    const line = `Installed cron-agent 1.0.0 in ${home}\nWrote ${written}\n`
    assert.equal((await agentCommand('install', '--unit', 'systemd', '--write', written)).stdout, line)
    assert.equal(readFileSync(written, 'utf8'), stdout)
  })

  test('a unit that would run a moult inside a project is warned of', async () => {
    const unit = ['agent', 'install', '--home', home, '--unit', 'systemd', '--supervised']
    assert.doesNotMatch((await scene.moult(unit)).stderr, /Warning/)
    const link = join(scene.folder('cron project', 'node_modules', '.bin'), 'moult')
    symlinkSync(MAIN, link)
    const { code, stdout, stderr } = await scene.run(process.execPath, [link, ...unit])
    assert.equal(code, 0)
    assert.match(stdout, /^ExecStart=.*node_modules\/\.bin\/moult.* agent run /m)
    assert.ok(stderr.startsWith(`Warning: the service would run ${link}, `), stderr)
  })

  test('status tells the last check', async () => {
    const file = join(home, 'status.json')
    const at = '2026-11-21T12:00:00Z'
    writeFileSync(file, JSON.stringify({ at, outcome: 'failed', code: 'ERR_NETWORK_TIMEOUT' }))
    utimesSync(file, new Date(at), new Date('2026-11-21T12:05:00Z'))
    const line = /^ +checked +2026-11-21T12:05:00Z: failed \(ERR_NETWORK_TIMEOUT\), since 2026-11-21T12:00:00Z$/m
    assert.match((await agentCommand('status')).stdout, line)
    rmSync(file)
    assert.match((await agentCommand('status')).stdout, /^ +checked +never$/m)
  })

  test('a check installs the update and exits with status 100; the program runs on until it is restarted', async () => {
    agent = launch()
    await agent.line(/^agent 1\.0\.0 runs, try none$/)
    await release('1.0.1')
    const check = await agentCommand('check', '--apply')
    assert.deepEqual([check.code, check.stdout], [100, 'Updated to 1.0.1: start the agent again\n'])
    assert.match(check.stderr, /^Update found: 1\.0\.1\. Synchronizing from 1\.0\.0/m)
    assert.equal(agent.lines.length, 1)
    assert.deepEqual((await scene.status(home)).record?.trial, { started: 0, tries: 2 })
  })

  test('a version that was never started is not confirmed, however long ago it was installed', async () => {
    await sleep(PROBATION_MS)
    assert.equal((await agentCommand('check', '--apply')).code, 0)
    assert.deepEqual((await scene.status(home)).record?.trial, { started: 0, tries: 2 })
  })

  test('the launcher counts the try; a check too early confirms nothing, one after the probation does', async () => {
    await restart()
    await agent.line(/^agent 1\.0\.1 runs, try 1$/)
    assert.equal((await agentCommand('check', '--apply')).code, 0)
    assert.deepEqual((await scene.status(home)).record?.trial, { started: 1, tries: 2 })
    assert.match(
      (await agentCommand('status')).stdout,
      /^cron-agent 1\.0\.1, on probation \(try 1 of 2, started [0-9T:Z-]+\)$/m,
    )

    await sleep(PROBATION_MS)
    const check = await agentCommand('check', '--apply')
    assert.deepEqual([check.code, check.stdout], [0, 'Up to date: 1.0.1\n'])
    assert.match(check.stderr, /^Confirmed: 1\.0\.1$/m)
    assert.deepEqual((await scene.status(home)).record, { version: '1.0.1', previous: '1.0.0' })
  })

  test('a person can end the probation, or is told that there is none', async () => {
    const idle = await agentCommand('confirm')
    assert.equal(idle.code, 24)
    assert.match(idle.stderr, /^code: ERR_POLICY_REFUSED$/m)

    await release('1.0.2')
    assert.equal((await agentCommand('check', '--apply')).code, 100)
    await restart()
    await agent.line(/^agent 1\.0\.2 runs, try 1$/)
    const confirmed = await agentCommand('confirm', '--json')
    assert.equal(confirmed.code, 0, confirmed.stderr)
    assert.deepEqual(jsonOf(confirmed), { kind: 'confirmed', version: '1.0.2' })
    assert.equal((await scene.status(home)).record?.trial, undefined)
  })

  test('explain says why nothing happens, and changes nothing', async () => {
    const before = readFileSync(join(home, 'current'), 'utf8')
    const { code, stdout } = await agentCommand('explain')
    assert.equal(code, 0)
    assert.match(stdout, /^running +1\.0\.2$/m)
    assert.match(stdout, /^offered +1\.0\.2 of /m)
    assert.match(stdout, /^bucket +\d+ of 10000; open for 100 % now$/m)
    assert.match(stdout, /^decision +up-to-date$/m)
    const { decision } = jsonOf<{ decision: { kind: string } }>(await agentCommand('explain', '--json'))
    assert.equal(decision.kind, 'up-to-date')
    assert.equal(readFileSync(join(home, 'current'), 'utf8'), before)
  })

  test('a rollback is only shown with --plan; without, the version before runs at the next start and stays', async () => {
    const plan = await agentCommand('rollback', '--plan', '--json')
    assert.deepEqual(jsonOf(plan), { kind: 'plan', from: '1.0.2', to: '1.0.1' })
    assert.equal((await scene.status(home)).record?.version, '1.0.2')

    const rolledBack = await agentCommand('rollback')
    assert.equal(rolledBack.stdout, 'Going back from 1.0.2 to 1.0.1 at the next start of the agent\n')
    await restart()
    await agent.line(/^agent 1\.0\.1 runs, try none$/)
    const check = await agentCommand('check', '--apply')
    assert.deepEqual([check.code, check.stdout], [24, ''])
    assert.match(check.stderr, /^error: not installed \(quarantined\): 1\.0\.2\nhint: .*\ncode: ERR_POLICY_REFUSED$/m)
    assert.match((await agentCommand('status')).stdout, /^ +quarantined 1\.0\.2 \(manual, /m)
    assert.equal((await agentCommand('rollback')).code, 24)
  })

  test('a version that ends with a fault at each start is given up by the launcher and quarantined by the next check', async () => {
    const broken = '#!/bin/sh\n[ "$1" != --version ] || { echo 1.0.3; exit; }\necho "agent 1.0.3 breaks"; exit 7\n'
    scene.write('cron project/agent-1.0.3', broken, 0o755)
    await scene.moultOk(['release', '1.0.3'], { cwd: project })
    assert.equal((await agentCommand('check', '--apply')).code, 100)
    agent.kill('SIGTERM')
    await agent.ended
    assert.equal((await launch().ended).code, 7)
    assert.equal((await launch().ended).code, 7)
    agent = launch()
    await agent.line(/^moult-launch: version 1\.0\.3 has failed \(tries\), going back to 1\.0\.1$/)
    await agent.line(/^agent 1\.0\.1 runs, try none$/)
    const check = await agentCommand('check', '--apply')
    assert.match(check.stderr, /^Rolled back: 1\.0\.3 \(tries\), running 1\.0\.1$/m)
    assert.equal(check.code, 26)
    assert.match(check.stderr, /^code: ERR_UPDATE_ROLLED_BACK$/m)
    const next = await agentCommand('check', '--apply')
    assert.equal(next.code, 24)
    const { error } = jsonOf<{ error: { code: string; details: { decision: object } } }>(
      await agentCommand('check', '--json'),
    )
    assert.equal(error.code, 'ERR_POLICY_REFUSED')
    assert.deepEqual(Object.keys(error.details), ['kind', 'offered', 'sequence', 'decision'])
  })

  test('a home whose launch record is damaged still starts what was confirmed last', async () => {
    writeFileSync(join(home, 'current'), 'vers')
    await restart()
    await agent.line(/^agent 1\.0\.[12] runs, try none$/)
    assert.equal((await agentCommand('check', '--apply')).code, 24, 'the last release is still in the quarantine')
  })
})
