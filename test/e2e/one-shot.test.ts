import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { jsonOf, Scene, type Started } from '../helpers/moult.ts'

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
  before(async () => {
    scene = new Scene('one shot')
    project = scene.folder('cron project')
    home = scene.path('cron home')
    const begin = ['init', '--name', 'cron-agent', '--type', 'files', '--agent', 'agent-{version}']
    await scene.moultOk(begin, { cwd: project })
    await release('1.0.0')
    const { url } = await scene.serve(project)
    const place = ['--home', home, '--server', url, '--root', join(project, 'trust', '1.root.json')]
    await scene.moultOk(['agent', 'install', ...place, '--probation', `${PROBATION_MS / 1000}s`, '--tries', '2'])
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
    assert.match((await agentCommand('status')).stdout, /^cron-agent 1\.0\.1, on probation \(try 1 of 2\)$/m)

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
    assert.deepEqual([check.code, check.stdout], [0, 'Not installing 1.0.2: quarantined\n'])
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
    assert.deepEqual([next.code, next.stdout], [0, 'Not installing 1.0.3: quarantined\n'])
  })

  test('a home whose launch record is damaged still starts what was confirmed last', async () => {
    writeFileSync(join(home, 'current'), 'vers')
    await restart()
    await agent.line(/^agent 1\.0\.[12] runs, try none$/)
    assert.equal((await agentCommand('check', '--apply')).code, 0)
  })
})
