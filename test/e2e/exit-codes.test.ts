import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import {
  type Finished,
  freePort,
  jsonOf,
  MAIN,
  processesWith,
  readJson,
  type RunOptions,
  Scene,
  until,
} from '../helpers/moult.ts'

interface ErrorObject {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint?: string
    readonly retryable: boolean
  }
}

describe('exit statuses', { timeout: 60_000 }, () => {
  let scene: Scene
  let project = ''
  let stranger = ''
  let home = ''
  let url = ''
  let root = ''
  before(async () => {
    scene = new Scene('exit codes')
    project = await beginProject('our project')
    stranger = await beginProject('strange project')
    root = join(project, 'trust', '1.root.json')
    await scene.moultOk(['release', '1.0.0'], { cwd: project })
    url = (await scene.serve(project)).url
    home = scene.path('agent home')
    await scene.moultOk(['agent', 'install', '--home', home, '--server', url, '--root', root])
  })
  after(() => scene.close())

  async function beginProject(name: string): Promise<string> {
    const dir = scene.folder(name)
    scene.write(join(name, 'agent.sh'), '#!/bin/sh\necho 1.0.0\n', 0o755)
    await scene.moultOk(['init', '--name', 'plain-agent', '--type', 'files', '--agent', 'agent.sh'], { cwd: dir })
    return dir
  }

  /** Runs the command twice: for people with `code:` as the last line but a finding, and with --json as one object. */
  async function assertFails(args: readonly string[], exit: number, code: string, options: RunOptions = {}) {
    const plain = await scene.moult(args, options)
    assert.equal(plain.code, exit, plain.stderr)
    assert.equal(plain.stdout, '')
    const lines = plain.stderr.trimEnd().split('\n')
    const last = lines.findLast((line) => !/^(?:finding|to do): /.test(line))
    assert.equal(last, `code: ${code}`, plain.stderr)
    assert.match(plain.stderr, /^error: /m)
    const machine = await scene.moult([...args, '--json'], options)
    const { error } = jsonOf<ErrorObject>(machine)
    assert.deepEqual([machine.code, error.code, machine.stderr], [exit, code, ''])
    assert.ok(plain.stderr.includes(`error: ${error.message}\n`), 'both forms say the same')
    return { plain, error }
  }

  const untilLocked = (pid: number): Promise<void> =>
    until('the lock to be taken', () => readdirSync(join(home, 'lock')).some((token) => token.startsWith(`${pid}-`)))

  test('2: the port of the server is occupied', async () => {
    const port = new URL(url).port
    const { error } = await assertFails(['serve', 'updates', '--port', port], 2, 'ERR_SERVER_PORT', { cwd: project })
    assert.equal(error.message, `in use: 127.0.0.1 port ${port}`)
  })

  test('2: nothing was published that could be served or verified', async () => {
    await assertFails(['serve', '--port', '0'], 2, 'ERR_CONFIG_MISSING', { cwd: stranger })
    const { error } = await assertFails(['verify'], 2, 'ERR_CONFIG_MISSING', { cwd: stranger })
    assert.equal(error.message, `nothing is published here: ${join(stranger, 'updates', 'version.json')}`)
    assert.match(error.hint ?? '', /moult release/)
  })

  test('2: the key is missing, and nothing is published', async () => {
    const keyless = await beginProject('keyless project')
    rmSync(join(keyless, 'keys', 'moult.key'))
    const { error } = await assertFails(['release', '1.0.0'], 2, 'ERR_CONFIG_KEY', { cwd: keyless })
    assert.match(error.message, /moult\.key/)
    assert.equal(existsSync(join(keyless, 'updates')), false)
  })

  test('2: the configuration has a key that does not exist; the nearest name is told', async () => {
    const mistyped = await beginProject('mistyped project')
    const config = readJson(join(mistyped, 'moult.config.json'))
    scene.write('mistyped project/moult.config.json', JSON.stringify({ ...config, plattforms: ['linux-amd64'] }))
    const { error } = await assertFails(['release', '1.0.0'], 2, 'ERR_CONFIG_INVALID', { cwd: mistyped })
    assert.match(error.message, /plattforms/)
    assert.match(error.hint ?? '', /"platforms"/)
  })

  test('2: there is no configuration, no home, no such option', async () => {
    await assertFails(['release', '1.0.0'], 2, 'ERR_CONFIG_MISSING', { cwd: scene.folder('nothing here') })
    await assertFails(['agent', 'check'], 2, 'ERR_USAGE_INVALID')
    const bare = scene.path('bare home')
    const serverless = await assertFails(['agent', 'install', '--home', bare, '--root', root], 2, 'ERR_USAGE_INVALID')
    assert.match(serverless.error.hint ?? '', /--server <url>/)
    const rootless = await assertFails(['agent', 'install', '--home', bare, '--server', url], 2, 'ERR_USAGE_INVALID')
    assert.match(rootless.error.hint ?? '', /--root <file>/)
    assert.equal(existsSync(bare), false)
    const unknown = await scene.moult(['release', '--colour', '--json'], { cwd: project })
    assert.deepEqual([unknown.code, jsonOf<ErrorObject>(unknown).error.code], [2, 'ERR_USAGE_INVALID'])
  })

  test('2: an update server without a scheme, a user and a program that do not exist', async () => {
    const install = ['agent', 'install', '--home', scene.path('odd home'), '--root', root]
    const schemeless = await assertFails([...install, '--server', 'localhost:8090'], 2, 'ERR_CONFIG_INVALID')
    assert.match(schemeless.error.message, /got "localhost:8090"$/)
    assert.equal(schemeless.error.hint, 'Did you mean http://localhost:8090?')
    await assertFails([...install, '--server', url, '--user', 'no-such-user'], 2, 'ERR_USAGE_INVALID')
    assert.equal(existsSync(scene.path('odd home')), false)

    const empty = scene.folder('empty home')
    copyFileSync(root, join(empty, 'root.json'))
    const run = ['agent', 'run', '--home', empty, '--server', url]
    for (const version of [[], ['--program-version', '1.0.0']]) {
      const { code, stderr } = await scene.moult([...run, ...version, '--', './no-agent'])
      assert.equal(code, 2)
      assert.ok(stderr.startsWith(`error: no such program: ${scene.path('no-agent')}\nhint: `), stderr)
    }
  })

  test('0: of a home with a version that version runs, and the program named is told to be ignored', async () => {
    const run = (...words: string[]) => scene.moult(['agent', 'run', '--home', home, '--', ...words])
    const { code, stdout, stderr } = await run('./no-agent')
    assert.deepEqual([code, stdout], [0, '1.0.0\n'])
    assert.match(stderr, /^Warning: version 1\.0\.0 is installed and runs; ignored: \.\/no-agent$/m)
    // The unit of an agent with arguments names it like this.
    assert.doesNotMatch((await run('plain-agent', '--verbose')).stderr, /Warning/)
  })

  test('2: the same project is not begun twice, and its key stays', async () => {
    const key = join(project, 'keys', 'moult.key')
    const { error } = await assertFails(['init'], 2, 'ERR_USAGE_EXISTS', { cwd: project })
    assert.match(error.message, /moult\.key/)
    assert.ok(existsSync(key))
  })

  test('20: the update server cannot be reached, or has nothing there', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`
    const { error } = await assertFails(
      ['agent', 'check', '--home', home, '--server', nobody],
      20,
      'ERR_NETWORK_UNREACHABLE',
    )
    assert.equal(error.retryable, true)
    const elsewhere = ['agent', 'check', '--home', home, '--server', `${url}/elsewhere/`]
    assert.match((await assertFails(elsewhere, 20, 'ERR_NETWORK_STATUS')).error.message, /404/)
    await assertFails(['agent', 'check', '--home', home, '--channel', 'beta'], 20, 'ERR_NETWORK_STATUS')
  })

  test('22: another project signed it', async () => {
    const strange = join(stranger, 'trust', '1.root.json')
    const { plain } = await assertFails(['verify', url, '--root', strange], 22, 'ERR_TRUST_SIGNATURE')
    assert.match(plain.stderr, /^finding: hostile\. /m)
    const fresh = scene.path('deceived home')
    const place = ['--home', fresh, '--server', url, '--root', strange]
    await assertFails(['agent', 'install', ...place], 22, 'ERR_TRUST_SIGNATURE')
    assert.equal(existsSync(join(fresh, 'current')), false)
  })

  test('24: a version older than the live one is not released', async () => {
    const { error } = await assertFails(['release', '0.9.0'], 24, 'ERR_POLICY_REFUSED', { cwd: project })
    assert.match(error.message, /0\.9\.0/)
  })

  test('28: another updater holds the lock, and it is free again afterwards', async () => {
    const slow = scene.start(
      process.execPath,
      [MAIN, 'serve', 'updates', '--port', '0', '--latency', '3000', '--json'],
      {
        cwd: project,
      },
    )
    const [, slowUrl = ''] = await slow.line(/^\{"url":"([^"]+)"/)
    const args = ['agent', 'check', '--home', home]
    const first = scene.start(process.execPath, [MAIN, ...args, '--server', slowUrl])
    await untilLocked(first.pid)
    const { error } = await assertFails(args, 28, 'ERR_LOCK_HELD')
    assert.match(error.message, new RegExp(`process ${first.pid}\\b`))
    assert.equal((await first.ended).code, 0)
    assert.equal((await scene.moult(args)).code, 0)
  })

  test('130: a check that is interrupted leaves no lock', async () => {
    const slow = scene.start(
      process.execPath,
      [MAIN, 'serve', 'updates', '--port', '0', '--latency', '20000', '--json'],
      {
        cwd: project,
      },
    )
    const [, slowUrl = ''] = await slow.line(/^\{"url":"([^"]+)"/)
    const check = scene.start(process.execPath, [MAIN, 'agent', 'check', '--home', home, '--server', slowUrl])
    await untilLocked(check.pid)
    check.kill('SIGINT')
    assert.deepEqual(await check.ended, { code: 130, signal: null })
    assert.deepEqual(check.lines, ['stopped by SIGINT'])
    assert.equal((await scene.moult(['agent', 'check', '--home', home])).code, 0)
  })

  test('130: a release that a terminal interrupts through npx, twice at once, leaves nothing behind', async () => {
    const slow = await beginProject('slow project')
    const config = readJson(join(slow, 'moult.config.json'))
    const build = { type: 'command', command: 'sleep 20' }
    scene.write('slow project/moult.config.json', JSON.stringify({ ...config, build }))
    const scratch = scene.folder('scratch')
    const release = scene.start(process.execPath, [MAIN, 'release', '1.0.0'], { cwd: slow, env: { TMPDIR: scratch } })
    await until('the build to run', () => processesWith(scratch).length > 1)
    release.kill('SIGINT')
    release.kill('SIGINT')
    assert.deepEqual(await release.ended, { code: 130, signal: null })
    await until('the build to end', () => processesWith(scratch).length === 0, 2000)
    assert.deepEqual(readdirSync(scratch), [])
    assert.equal(existsSync(join(slow, 'updates', 'version.json')), false)
  })

  test('0 and 100: up to date, an update that is only looked at, and one that is installed', async () => {
    const check = (...args: string[]): Promise<Finished> => scene.moult(['agent', 'check', '--home', home, ...args])
    assert.deepEqual(await check(), { code: 0, stdout: 'Up to date: 1.0.0\n', stderr: '' })
    assert.equal((await check('--apply')).code, 0)

    await scene.moultOk(['release', '1.0.1'], { cwd: project })
    const seen = await check()
    assert.deepEqual([seen.code, seen.stdout], [0, 'Update available: 1.0.1. Install it with --apply\n'])
    const installed = await check('--apply', '--json')
    assert.equal(installed.code, 100)
    const swapped = { kind: 'swapped', version: '1.0.1', previous: '1.0.0', isRestarted: false }
    assert.deepEqual(jsonOf(installed), swapped)
  })

  test('0: a server that is told to stop', async () => {
    const { process: server } = await scene.serve(project)
    server.kill('SIGTERM')
    assert.deepEqual(await server.ended, { code: 0, signal: null })
  })
})
