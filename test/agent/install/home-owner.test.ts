import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { homeOwner } from '../../../agent/install/home-owner.ts'
import { installAgent, type InstallOptions } from '../../../agent/install/install.ts'
import { makeRoot } from '../../fixtures/signed-manifest.ts'
import { BOUNDED, failureOf, makeDir, NOW, publish, startHost } from '../field.ts'

const DEPS = { clock: () => NOW, emit: () => undefined }
const isRoot = process.geteuid?.() === 0

describe('a home for another user', BOUNDED, () => {
  test('needs a user that exists, and is not needed for oneself', async () => {
    const error = await failureOf(() => homeOwner('no-such-user'))
    assert.deepEqual([error.code, error.message], ['ERR_USAGE_INVALID', 'no such user: no-such-user'])
    assert.equal((await failureOf(() => homeOwner('--help'))).code, 'ERR_USAGE_INVALID')
    assert.equal(await homeOwner(execFileSync('id', ['-un'], { encoding: 'utf8' }).trim()), undefined)
  })

  test('is refused to anyone but root', async () => {
    // The ids are asked for after the effective user is known.
    if (isRoot) process.seteuid?.(65_534)
    const asked = homeOwner('root')
    if (isRoot) process.seteuid?.(0)
    const error = await failureOf(() => asked)
    assert.equal(error.code, 'ERR_USAGE_INVALID')
    assert.match(error.hint ?? '', /as root/)
  })

  test('belongs to that user with all that is in it, also when repeated', { skip: !isRoot }, async (t) => {
    const owner = await homeOwner('nobody')
    assert.ok(owner !== undefined)
    const host = await startHost(t)
    const dir = makeDir(t)
    fs.chmodSync(dir, 0o755)
    const root = join(dir, '1.root.json')
    fs.writeFileSync(root, JSON.stringify(makeRoot()), { mode: 0o600 })
    const home = join(dir, 'home')
    const options: InstallOptions = { home, root, settings: { server: host.url }, env: {}, owner }
    const strangers = (): string[] =>
      [home, ...fs.readdirSync(home, { recursive: true, encoding: 'utf8' }).map((name) => join(home, name))].filter(
        (path) => fs.lstatSync(path).uid !== owner.uid || fs.lstatSync(path).gid !== owner.gid,
      )
    assert.equal((await failureOf(() => installAgent(options, DEPS))).exitCode, 20)
    assert.deepEqual(strangers(), [], 'after a failure')

    publish(host, { version: '1.4.2' })
    await installAgent(options, DEPS)
    assert.deepEqual(strangers(), [])
    const launched = spawnSync(join(home, 'launch'), ['--version'], { ...owner, encoding: 'utf8' })
    assert.equal(launched.stdout.trim(), '1.4.2', launched.stderr)
    const outside = join(dir, 'outside')
    fs.writeFileSync(outside, '')
    fs.symlinkSync(outside, join(home, 'versions', 'link'))

    await installAgent({ ...options, root: undefined, settings: {} }, DEPS)
    assert.deepEqual(strangers(), [])
    assert.equal(fs.statSync(outside).uid, 0, 'no link is followed')
  })
})
