import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { platformOf } from '../../manifests/platform.ts'
import { isAlive, jsonOf, MAIN, REPOSITORY, Scene, type Started, until } from '../helpers/moult.ts'

const hasCompiler = spawnSync('cc', ['--version']).status === 0
const COMPILE = ['cc', '-O2', '-static', '-DVERSION="{version}"', '-o', '{out}', 'agent.c']
const SETTINGS = ['--interval', '1s', '--probation', '2s', '--tries', '2']

describe('a C agent that knows nothing of updates, under the supervisor', { timeout: 60_000 }, () => {
  const skip = hasCompiler ? false : 'cc is not installed'
  let scene: Scene
  let project = ''
  let home = ''
  let root = ''
  let url = ''
  let supervisor: Started
  before(async () => {
    if (!hasCompiler) return
    scene = new Scene('supervised')
    project = scene.folder('sensor project')
    home = scene.path('var lib', 'sensor-agent')
    root = join(project, 'trust', '1.root.json')
    cpSync(join(REPOSITORY, 'examples', 'supervised-agent', 'agent.c'), join(project, 'agent.c'))
    await scene.moultOk(['init', '--name', 'sensor-agent', '--type', 'command'], { cwd: project })
    await release('1.0.0')
    url = (await scene.serve(project)).url
  })
  after(() => scene?.close())

  const release = (version: string, ...flags: string[]) => {
    const [cc = '', ...rest] = COMPILE
    const build = { type: 'command', command: [cc, ...flags, ...rest] }
    const platforms = [platformOf(process.platform, process.arch)]
    scene.write('sensor project/moult.config.json', JSON.stringify({ name: 'sensor-agent', platforms, build }))
    return scene.moultOk(['release', version], { cwd: project })
  }
  /** The process of the agent itself, as the supervisor announced it last. */
  const agentPid = (): number => {
    const started = supervisor.lines.map((line) => /^Started \S+, process (\d+)$/.exec(line)?.[1])
    return Number(started.findLast((pid) => pid !== undefined))
  }

  test(
    'a program that is on the machine becomes the first version, with the version that it tells',
    { skip },
    async () => {
      const words = COMPILE.map((word) => word.replace('{version}', '1.0.0').replace('{out}', 'sensor-agent'))
      assert.equal((await scene.run(words[0] ?? '', words.slice(1), { cwd: project })).code, 0)
      const place = ['--home', home, '--server', url, '--root', root]
      const installed = await scene.moultOk(
        ['agent', 'install', ...place, ...SETTINGS, '--program', './sensor-agent', '--json'],
        { cwd: project },
      )
      assert.equal(jsonOf(installed)['version'], '1.0.0')
    },
  )

  test('runs, and is replaced by 1.0.1 while it runs', { skip }, async () => {
    const args = [MAIN, 'agent', 'run', '--home', home, '--', './sensor-agent']
    supervisor = scene.start(process.execPath, args, { cwd: project })
    await supervisor.line(/^sensor-agent 1\.0\.0 reading 2$/)
    await release('1.0.1')
    await supervisor.line(/^Update found: 1\.0\.1\. Synchronizing from 1\.0\.0/)
    // It was asked to stop, and could finish its work.
    await supervisor.line(/^sensor-agent 1\.0\.0 stops$/)
    await supervisor.line(/^sensor-agent 1\.0\.1 reading 1$/)
    await supervisor.line(/^Confirmed: 1\.0\.1$/)
  })

  test('comes back by itself from 1.0.2, which crashes, and never tries it again', { skip }, async () => {
    await release('1.0.2', '-DCRASH')
    await supervisor.line(/^sensor-agent 1\.0\.2 starts$/)
    await supervisor.line(/^Rolled back: 1\.0\.2 \(tries\), running 1\.0\.1$/)
    await supervisor.line(/^Not installing 1\.0\.2: quarantined$/)
    const { record, quarantine } = await scene.status(home)
    assert.equal(record?.version, '1.0.1')
    assert.deepEqual(
      quarantine.map(({ version, reason }) => [version, reason]),
      [['1.0.2', 'tries']],
    )
    assert.equal(supervisor.lines.filter((line) => line === 'sensor-agent 1.0.2 starts').length, 2)
  })

  test('takes the repaired 1.0.3', { skip }, async () => {
    await release('1.0.3')
    await supervisor.line(/^Confirmed: 1\.0\.3$/)
    const { record } = await scene.status(home)
    assert.deepEqual(record, { version: '1.0.3', previous: '1.0.1' })
  })

  test('SIGTERM stops the agent and then the supervisor, with status 0 and no lock left', { skip }, async () => {
    const pid = agentPid()
    assert.ok(isAlive(pid))
    supervisor.kill('SIGTERM')
    assert.deepEqual(await supervisor.ended, { code: 0, signal: null })
    assert.equal(supervisor.lines.filter((line) => line === 'sensor-agent 1.0.3 stops').length, 1)
    await until('the agent to end', () => !isAlive(pid), 2000)
    assert.equal((await scene.moult(['agent', 'check', '--home', home])).code, 0)
  })

  test(
    'the next start goes on with the installed version, not with the program of the command line',
    { skip },
    async () => {
      const args = [MAIN, 'agent', 'run', '--home', home, '--', './sensor-agent']
      const again = scene.start(process.execPath, args, { cwd: project })
      await again.line(/^sensor-agent 1\.0\.3 reading 1$/)
      again.kill('SIGTERM')
      assert.equal((await again.ended).code, 0)
      assert.match(readFileSync(join(home, 'current'), 'utf8'), /^version=1\.0\.3$/m)
    },
  )

  test('the unit that install writes for such an agent runs the supervisor, not the launcher', { skip }, async () => {
    const place = ['--home', home, '--server', url, '--root', root, ...SETTINGS]
    const script = scene.path('sv', 'sensor-agent', 'run')
    const unit = ['--supervised', '--unit', 'runit', '--write', script]
    await scene.moultOk(['agent', 'install', ...place, ...unit, '--', '--verbose'])
    const service = scene.start(script, [])
    await service.line(/^Started 1\.0\.3, process \d+$/)
    await service.line(/^sensor-agent 1\.0\.3 reading 1$/)
    service.kill('SIGTERM')
    assert.equal((await service.ended).code, 0)
  })

  test('what a unit needs beside it is written too, or told where the unit is only printed', { skip }, async () => {
    const place = ['--home', home, '--server', url, '--root', root, ...SETTINGS, '--supervised', '--unit', 's6']
    await scene.moultOk(['agent', 'install', ...place, '--write', scene.path('s6', 'sensor-agent', 'run')])
    assert.equal(readFileSync(scene.path('s6', 'sensor-agent', 'timeout-kill'), 'utf8'), '45000\n')
    const printed = await scene.moultOk(['agent', 'install', ...place])
    assert.match(printed.stdout, /^#!\/bin\/sh\n/)
    assert.match(printed.stderr, /^Beside it a file timeout-kill has to say 45000$/m)
  })
})
