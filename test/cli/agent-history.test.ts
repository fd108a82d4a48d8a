import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'

import { makeRoot } from '../fixtures/signed-manifest.ts'
import { jsonOf, Scene } from '../helpers/moult.ts'

describe('moult agent history and status', () => {
  let scene: Scene
  let home = ''
  const moult = (...args: string[]) => scene.moult(['agent', ...args, '--home', home])
  before(async () => {
    scene = new Scene('agent history')
    home = scene.path('home')
    const program = scene.write('agent', '#!/bin/sh\necho 1.0.0\n', 0o755)
    const root = scene.write('root.json', JSON.stringify(makeRoot()))
    const server = ['--server', 'http://127.0.0.1:1/', '--root', root, '--program', program]
    await scene.moultOk(['agent', 'install', '--home', home, ...server, '--program-version', '1.0.0'])
    assert.equal((await moult('check')).code, 20)
    assert.equal((await moult('check')).code, 20)
  })
  after(() => scene.close())

  test('tell what happened, newest last: a table for people, the same lines as JSON for tools', async () => {
    const { code, stdout, stderr } = await moult('history')
    assert.deepEqual([code, stderr], [0, ''])
    const [installed = '', failed = '', ...others] = stdout.trimEnd().split('\n')
    assert.match(installed, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}installed +1\.0\.0$/)
    assert.match(failed, /Z {2}check-failed +- +no answer.*, \[ERR_NETWORK_UNREACHABLE\]$/)
    assert.deepEqual(others, [])
    const json = await moult('history', '--json')
    const kinds = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind)
    assert.deepEqual(kinds, ['installed', 'check-failed'])
    assert.equal((await moult('history', '--limit', '1')).stdout.trimEnd(), failed)
  })

  test('refuse a limit that is none', async () => {
    for (const limit of ['0', '-1', 'x', '1.5']) {
      const { code, stderr } = await moult('history', '--limit', limit)
      assert.equal(code, 2, limit)
      assert.match(stderr, /whole number/)
    }
  })

  test('give the state, what the home takes on the disk, and the end of the history', async () => {
    const { stdout } = await moult('status')
    assert.match(stdout, /^heartbeat-agent 1\.0\.0\n {2}state {7}failed\n/)
    assert.match(stdout, /\n {2}on disk {5}1\.0\.0; [0-9.]+ k?B in all\n/)
    assert.match(stdout, /\n {2}checked {5}\S+Z: failed \(ERR_NETWORK_UNREACHABLE\)/)
    assert.match(stdout, /\n {2}history {5}\S+Z {2}check-failed/)
    const status = jsonOf<Record<string, unknown>>(await moult('status', '--json'))
    assert.deepEqual([status['state'], status['name']], ['failed', 'heartbeat-agent'])
    assert.ok(Number(status['bytes']) > 1000)
    assert.equal((status['history'] as unknown[]).length, 2)
  })

  test('put nothing of a forged line on a terminal', async () => {
    const path = `${home}/history.jsonl`
    const before = readFileSync(path, 'utf8')
    const forged = { time: '2026-01-01T00:00:00Z', kind: 'warning', message: '\u001b[2Jx\u009b\ny' }
    writeFileSync(path, `${before}${JSON.stringify(forged)}\n`)
    for (const args of [['history'], ['history', '--json'], ['status'], ['status', '--json']]) {
      const { stdout } = await moult(...args)
      assert.match(stdout, /\?\[2Jx\?\?y/)
      assert.doesNotMatch(stdout, /[^\n\P{C}]/u)
    }
  })
})
