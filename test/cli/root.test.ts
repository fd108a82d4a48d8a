import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { temporaryFolder } from '../release/project-fixture.ts'
import { type Outcome, runMoult } from './moult-process.ts'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** A folder with key files and nothing else, as on a machine without a network. */
async function makeDesk(t: TestContext, ...labels: readonly string[]) {
  const dir = await temporaryFolder(t)
  const run = (...args: readonly string[]): Promise<Outcome> => runMoult(args, dir)
  const ok = async (...args: readonly string[]): Promise<Outcome> => {
    const outcome = await run(...args)
    assert.equal(outcome.code, 0, `${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`)
    return outcome
  }
  const fails = async (code: number, errorCode: string, ...args: readonly string[]): Promise<string> => {
    const outcome = await run(...args)
    assert.equal(outcome.code, code, `${outcome.stdout}${outcome.stderr}`)
    assert.match(outcome.stderr, new RegExp(`^code: ${errorCode}$`, 'm'))
    return outcome.stderr
  }
  for (const label of labels) await ok('keys', 'new', `${label}.key`)
  return { dir, run, ok, fails }
}

test('a first root is begun, signed and kept with files alone', async (t) => {
  const { dir, ok, fails } = await makeDesk(t, 'a', 'b', 'c', 'online')
  const begin = ['root', 'init', '--name', 'probe', '--keys', 'a.key,b.key,c.key', '--release-keys', 'online.key']
  const plan = await ok(...begin, '--plan')
  assert.match(plan.stdout, /^Root 1 of probe, the first:\n {2}root {5}2 of 3 must sign\n/)
  assert.match(plan.stderr, /^warning: key [0-9a-f]{64} plays several roles \(release, rollout\)/m)
  assert.equal((await readdir(dir)).includes('trust'), false)

  await ok(...begin)
  await fails(2, 'ERR_USAGE_EXISTS', ...begin)
  await fails(2, 'ERR_USAGE_INVALID', 'root', 'sign', '--key', 'a.key')
  await fails(22, 'ERR_TRUST_UNSIGNED', 'root', 'verify')
  await ok('root', 'sign', '--key', 'a.key', '--yes')
  assert.match(
    await fails(22, 'ERR_TRUST_THRESHOLD', 'root', 'verify'),
    /by root keys of root 1: 1 of 2 signed, 1 missing/,
  )
  await ok('root', 'sign', '--key', 'c.key', '--yes')
  const { stdout } = await ok('root', 'verify', '--json')
  assert.deepEqual((JSON.parse(stdout) as { kind: string }).kind, 'complete')
  assert.match((await ok('root', 'publish')).stdout, /^Published root 1 of probe: trust\/1\.root\.json\n/)
  assert.deepEqual(await readdir(join(dir, 'trust')), ['1.root.json'])
  await fails(2, 'ERR_USAGE_EXISTS', ...begin)
})

test('a draft travels as one file, to a desk that has its own copy of the root before it', async (t) => {
  const home = await makeDesk(t, 'a', 'b', 'new')
  const { dir, ok } = home
  await ok('root', 'init', '--name', 'probe', '--keys', 'a.key,b.key', '--threshold', '2')
  for (const key of ['a.key', 'b.key']) await ok('root', 'sign', '--key', key, '--yes')
  await ok('root', 'publish')
  await ok('root', 'add-key', '--role', 'root', 'new.key')

  const desk = await makeDesk(t)
  await mkdir(join(desk.dir, 'stick'))
  await cp(join(dir, 'trust/draft.root.json'), join(desk.dir, 'stick/draft.root.json'))
  for (const file of ['a.key', 'b.key']) await cp(join(dir, file), join(desk.dir, file))
  await cp(join(dir, 'trust/1.root.json'), join(desk.dir, 'mine.json'))
  const sign = ['root', 'sign', '--file', 'stick/draft.root.json', '--yes', '--key']
  await desk.fails(2, 'ERR_CONFIG_MISSING', ...sign, 'a.key')
  const signed = await desk.ok(...sign, 'a.key', '--previous', 'mine.json')
  assert.match(signed.stderr, /^ {4}\+ [0-9a-f]{64}$/m)
  await desk.ok(...sign, 'b.key', '--previous', 'mine.json')

  await cp(join(desk.dir, 'stick/draft.root.json'), join(dir, 'trust/draft.root.json'))
  await ok('root', 'publish')
  const shown = JSON.parse((await ok('root', 'show', '--json')).stdout) as {
    root: { version: number }
    isDraft: boolean
  }
  assert.deepEqual([shown.root.version, shown.isDraft], [2, false])
})

test('a change drops the signatures, and says so', async (t) => {
  const { ok, fails } = await makeDesk(t, 'a', 'b', 'c')
  await ok('root', 'init', '--name', 'probe', '--keys', 'a.key,b.key', '--threshold', '1')
  await ok('root', 'sign', '--key', 'a.key', '--yes')
  const changed = await ok('root', 'rotate', '--role', 'root', '--threshold', '2', '--expires', '2y')
  assert.match(changed.stderr, /^note: 1 signature was dropped/m)
  await fails(22, 'ERR_TRUST_UNSIGNED', 'root', 'verify')
  assert.match(
    await fails(2, 'ERR_USAGE_INVALID', 'root', 'rotate'),
    /expected --remove, --add, --threshold or --expires/,
  )
  await fails(2, 'ERR_USAGE_INVALID', 'root', 'remove-key', '--role', 'root', 'ffff')
  await fails(2, 'ERR_USAGE_INVALID', 'root', 'add-key', 'c.key')
  await fails(22, 'ERR_TRUST_ROOT', 'root', 'rotate', '--role', 'release', '--threshold', '3')
})

test('at a terminal the person is asked, and anything but yes signs nothing', async (t) => {
  if (process.platform !== 'linux' || spawnSync('script', ['--version']).status !== 0)
    return t.skip('script(1) is not installed: the question was NOT tested')
  const { dir, ok, fails } = await makeDesk(t, 'a')
  await ok('root', 'init', '--name', 'probe', '--keys', 'a.key')
  const node = `'${process.execPath}' --import '${import.meta.resolve('tsx')}' '${MAIN}' root sign --key a.key`
  const answer = (text: string) =>
    spawnSync('script', ['-qec', node, '/dev/null'], { cwd: dir, input: `${text}\n`, encoding: 'utf8' })
  const refused = answer('no')
  assert.match(refused.stdout, /Root 1 of probe, the first:[^]*Sign root 1\? \[y\/N\]/)
  assert.match(refused.stdout, /nothing was signed: the answer was not yes/)
  await fails(22, 'ERR_TRUST_UNSIGNED', 'root', 'verify')
  assert.match(answer('y').stdout, /Signed: root 1 in trust\/draft\.root\.json/)
  await ok('root', 'verify')
})

test('a passphrase opens an encrypted root key, and no seed is printed', async (t) => {
  const { dir, ok, run } = await makeDesk(t, 'a')
  const { seed } = JSON.parse(await readFile(join(dir, 'a.key'), 'utf8')) as { seed: string }
  const env = { MOULT_PASSPHRASE: 'a long enough passphrase' }
  assert.equal((await runMoult(['keys', 'encrypt', 'a.key'], dir, env)).code, 0)
  await ok('root', 'init', '--name', 'probe', '--keys', 'a.key')
  assert.equal((await run('root', 'sign', '--key', 'a.key', '--yes')).code, 2)
  const signed = await runMoult(['root', 'sign', '--key', 'a.key', '--yes'], dir, env)
  assert.equal(signed.code, 0, signed.stderr)
  for (const text of [signed.stdout, signed.stderr, await readFile(join(dir, 'trust/draft.root.json'), 'utf8')])
    for (const secret of [seed, Buffer.from(seed, 'base64').toString('hex')]) assert.ok(!text.includes(secret))
})
