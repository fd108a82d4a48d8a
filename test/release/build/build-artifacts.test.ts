import assert from 'node:assert/strict'
import { readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { isMoultError, type MoultError } from '../../../manifests/index.ts'
import { buildArtifacts, type Built } from '../../../release/build/build-artifacts.ts'
import { openProject } from '../../../release/open-project.ts'
import { surroundingsOf } from '../../../release/surroundings.ts'
import { failsWith, makeProject, temporaryFolder, writeTree } from '../project-fixture.ts'

const ENV = { PATH: process.env['PATH'] }

async function build(
  t: TestContext,
  config: object,
  files: Record<string, string> = {},
  env: object = ENV,
): Promise<Built[]> {
  const { dir, config: file } = await makeProject(t, { build: config })
  await writeTree(dir, files)
  const around = surroundingsOf({ env: env as NodeJS.ProcessEnv })
  return buildArtifacts(await openProject(file, around), '1.2.3', await temporaryFolder(t), around)
}

async function failureOf(built: Promise<Built[]>): Promise<MoultError> {
  try {
    await built
  } catch (error) {
    assert.ok(isMoultError(error), String(error))
    assert.equal(error.code, 'ERR_BUILD_FAILED')
    return error
  }
  assert.fail('the build succeeded')
}

test('a command is run once a platform, with the platform in its words and in its environment', async (t) => {
  const script = `const e = process.env
    const line = [...process.argv.slice(1, -1), e.MOULT_OS, e.MOULT_ARCH, e.MOULT_PLATFORM, e.MOULT_VERSION, e.GOOS, e.GOARCH]
    require('node:fs').writeFileSync(e.MOULT_OUT, line.join(' ') + (process.argv.at(-1) === e.MOULT_OUT))`
  const command = [process.execPath, '-e', script, '{os}', '{name}-{version}', '{out}']
  const built = await build(t, { type: 'command', command, output: 'dist/{platform}/agent' })
  assert.deepEqual(
    built.map(({ platform }) => platform),
    ['linux-amd64', 'darwin-arm64'],
  )
  assert.equal(
    await readFile(built[1]?.path ?? '', 'utf8'),
    'darwin probe-1.2.3 darwin arm64 darwin-arm64 1.2.3 darwin arm64true',
  )
})

test('without an output the command writes to a private place that {out} names', async (t) => {
  const [first] = await build(t, { type: 'command', command: 'cp bin/agent-{platform} {out}' })
  assert.match(await readFile(first?.path ?? '', 'utf8'), /# linux-amd64/)
})

test('an array is run without a shell', async (t) => {
  const error = await failureOf(build(t, { type: 'command', command: ['ls', 'no-such-$HOME;true'] }))
  assert.match(String(error.details['output']), /no-such-\$HOME;true/)
})

test('with `shell` the shell runs it, and values with spaces stay one word', async (t) => {
  const [first] = await build(t, {
    type: 'command',
    shell: true,
    command: 'echo "$MOULT_PLATFORM" > {out} && test -s {out}',
  })
  assert.equal(await readFile(first?.path ?? '', 'utf8'), 'linux-amd64\n')
})

test('a failing command shows its output, and stops the other builds', async (t) => {
  const script = 'case $MOULT_OS in darwin) echo broken >&2; exit 3;; *) sleep 30;; esac'
  const started = Date.now()
  const error = await failureOf(build(t, { type: 'command', shell: true, command: script }))
  assert.ok(Date.now() - started < 10_000, 'it waited for the sleeping build')
  assert.equal(error.message, 'the build command failed (exit status 3): darwin-arm64')
  assert.equal(error.details['output'], 'broken')
})

test('a command that does not exist, or writes nothing, is told from one that fails', async (t) => {
  assert.match((await failureOf(build(t, { type: 'command', command: 'no-such-program-here' }))).message, /ENOENT/)
  const nothing = await failureOf(build(t, { type: 'command', command: 'true', output: 'dist/none' }))
  assert.match(nothing.message, /^no such file: /)
  assert.match(nothing.hint ?? '', /\{out\}/)
})

test('the signing key is not in the environment of a build', async (t) => {
  const { dir, config } = await makeProject(t)
  const seed = JSON.parse(await readFile(join(dir, 'keys/moult.key'), 'utf8')) as { seed: string }
  const around = surroundingsOf({ env: { ...ENV, MOULT_KEY: seed.seed, CI_KEY: seed.seed, OTHER: 'kept' } })
  const project = await openProject(config, around)
  const withKeys = { ...project.config, keys: { rollout: [{ env: 'CI_KEY' }] } }
  const command = [
    process.execPath,
    '-e',
    'require("node:fs").writeFileSync(process.env.MOULT_OUT, JSON.stringify(process.env))',
  ]
  const built = await buildArtifacts(
    { ...project, config: { ...withKeys, build: { type: 'command', command } } },
    '1.2.3',
    await temporaryFolder(t),
    around,
  )
  const env = JSON.parse(await readFile(built[0]?.path ?? '', 'utf8')) as Record<string, string>
  assert.equal(env['OTHER'], 'kept')
  assert.ok(!JSON.stringify(env).includes(seed.seed))
})

test('the number of builds at the same time is bounded', async (t) => {
  const { config, dir, change } = await makeProject(t)
  const script = 'mkdir running && sleep 0.2 && rmdir running && echo ok > {out}'
  await change({ jobs: 1, build: { type: 'command', shell: true, command: script } })
  const around = surroundingsOf({ env: ENV })
  const built = await buildArtifacts(await openProject(config, around), '1.0.0', await temporaryFolder(t), around)
  assert.equal(built.length, 2)
  await assert.rejects(stat(join(dir, 'running')))
})

test('files are taken where they lie', async (t) => {
  const built = await build(t, { type: 'files', path: 'bin/agent-{os}-{arch}{exe}' })
  assert.deepEqual(
    built.map(({ kind }) => kind),
    ['file', 'file'],
  )
})

test('a missing, empty or linked file is refused', async (t) => {
  assert.match((await failureOf(build(t, { type: 'files', path: 'bin/none' }))).message, /^no such file/)
  assert.match((await failureOf(build(t, { type: 'files', path: 'empty' }, { empty: '' }))).message, /^an empty file/)
  assert.match((await failureOf(build(t, { type: 'files', path: 'bin' }))).message, /^not a regular file/)
  const { dir, release } = await makeProject(t, { build: { type: 'files', path: 'link' } })
  await symlink('bin/agent-linux-amd64', join(dir, 'link'))
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED', /^a symbolic link/))
})

test('a program of another platform is refused', async (t) => {
  const elf = Buffer.alloc(64)
  elf.write('\u007fELF\u0002\u0001', 0, 'latin1')
  elf.writeUInt16LE(2, 16)
  elf.writeUInt16LE(0xb7, 18)
  const { dir, release } = await makeProject(t, { build: { type: 'files', path: 'agent' } })
  await writeTree(dir, { agent: elf.toString('latin1') })
  const { writeFile } = await import('node:fs/promises')
  await writeFile(join(dir, 'agent'), elf)
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED', /is linux-arm64, not linux-amd64/))
})

test('a TypeScript agent becomes one executable script', async (t) => {
  const files = { 'src/main.ts': 'declare const __MOULT_VERSION__: string\nconsole.log(__MOULT_VERSION__)\n' }
  const [first] = await build(t, { type: 'script', entry: 'src/main.ts' }, files)
  assert.match(await readFile(first?.path ?? '', 'utf8'), /^#!\/usr\/bin\/env node\n[^]*"1\.2\.3"/)
  assert.equal((await stat(first?.path ?? '')).mode & 0o111, 0o111)
})

test('a tree needs its entry', async (t) => {
  const config = { type: 'directory', path: 'out', entry: 'bin/agent' }
  assert.match((await failureOf(build(t, config))).message, /^no such directory/)
  const error = await failureOf(build(t, config, { 'out/readme': 'x' }))
  assert.match(error.message, /^no such file: .*bin\/agent$/)
  const [first] = await build(t, config, { 'out/bin/agent': '#!/bin/sh\n' })
  assert.deepEqual([first?.kind, first?.kind === 'tree' && first.entry], ['tree', 'bin/agent'])
})

test('hooks are executable files of the tree', async (t) => {
  const hooks = { preUpdate: 'hooks/check', postUpdate: 'hooks/migrate' }
  const config = { type: 'directory', path: 'out', entry: 'bin/agent', hooks }
  const script = '#!/bin/sh\n'
  const files = { 'out/bin/agent': script, 'out/hooks/check': script }
  assert.match((await failureOf(build(t, config, files))).message, /^no such file: .*hooks\/migrate$/)
  const plain = await failureOf(build(t, config, { ...files, 'out/hooks/migrate': 'echo' }))
  assert.match(plain.message, /^not executable: .*hooks\/migrate$/)
  const whole = { ...files, 'out/hooks/migrate': script }
  const [first] = await build(t, config, whole)
  assert.deepEqual(first?.kind === 'tree' && first.hooks, { pre_update: 'hooks/check', post_update: 'hooks/migrate' })
  const [one] = await build(t, { ...config, hooks: { postUpdate: 'hooks/migrate' } }, whole)
  assert.deepEqual(one?.kind === 'tree' && one.hooks, { post_update: 'hooks/migrate' })
  const [none] = await build(t, { ...config, hooks: {} }, whole)
  assert.ok(none?.kind === 'tree' && !('hooks' in none))
})
