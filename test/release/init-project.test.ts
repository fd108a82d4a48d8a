import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { acceptRoots, assertSelfSigned, parseStrictJson, platformOf, readRoot } from '../../manifests/index.ts'
import { initProject } from '../../release/index.ts'
import { readConfig } from '../../release/read-config.ts'
import { readKeyFile } from '../../release/signers/key-file.ts'
import { failsWith, snapshot, temporaryFolder, writeTree } from './project-fixture.ts'

test('a new project has a configuration, a private key and a root that names it in every role', async (t) => {
  const dir = await temporaryFolder(t)
  const result = await initProject({ dir, name: 'probe', agent: 'src/main.ts' })

  const { config } = await readConfig(join(dir, 'moult.config.json'))
  assert.deepEqual(config.build, { type: 'script', entry: 'src/main.ts' })
  const root = readRoot(parseStrictJson(await readFile(join(dir, 'trust/1.root.json'))))
  assertSelfSigned(root)
  for (const role of Object.values(root.roles)) assert.deepEqual([...role.keys.keys()], [result.keyId])
  assert.equal(root.name, 'probe')
  assert.equal(acceptRoots(root, []).root, root)

  const { mode } = await stat(join(dir, 'keys/moult.key'))
  assert.equal(mode & 0o777, 0o600)
  assert.equal((await stat(join(dir, 'keys'))).mode & 0o777, 0o700)
  assert.equal((await readKeyFile(join(dir, 'keys/moult.key'))).keyId, result.keyId)
  assert.equal(await readFile(join(dir, '.gitignore'), 'utf8'), 'keys/\n')
})

for (const file of ['moult.config.json', 'keys/moult.key', 'trust/1.root.json']) {
  test(`nothing is written when ${file} exists`, async (t) => {
    const dir = await temporaryFolder(t)
    await writeTree(dir, { [file]: 'mine' })
    const before = await snapshot(dir)
    await assert.rejects(initProject({ dir, name: 'probe' }), failsWith('ERR_USAGE_EXISTS'))
    assert.deepEqual(await snapshot(dir), before)
  })
}

test('what was begun is taken back when a later step fails', async (t) => {
  const dir = await temporaryFolder(t)
  await mkdir(join(dir, '.gitignore'))
  await assert.rejects(initProject({ dir, name: 'probe' }), failsWith('ERR_USAGE_INVALID', /EISDIR/))
  assert.deepEqual(await readdir(dir), ['.gitignore'])
})

test('.gitignore keeps its lines and gets one for the keys, once', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, '.gitignore'), 'dist')
  await initProject({ dir, name: 'probe' })
  assert.equal(await readFile(join(dir, '.gitignore'), 'utf8'), 'dist\nkeys/\n')
})

test('the name and the source of the version come from package.json', async (t) => {
  const dir = await temporaryFolder(t)
  await writeTree(dir, { 'package.json': '{"name":"@Acme/My Agent","version":"1.0.0"}' })
  const { name } = await initProject({ dir })
  assert.equal(name, 'my-agent')
  assert.deepEqual((await readConfig(join(dir, 'moult.config.json'))).config.version, { from: 'package.json' })
})

test('a name that cannot be published is refused', async (t) => {
  const dir = await temporaryFolder(t)
  await assert.rejects(initProject({ dir, name: 'My Agent' }), failsWith('ERR_USAGE_INVALID', /^name: expected/))
})

test('what it wrote is listed, .gitignore only where it got the line', async (t) => {
  const dir = await temporaryFolder(t)
  const own = ['moult.config.json', 'keys/moult.key', 'trust/1.root.json']
  assert.deepEqual((await initProject({ dir, name: 'probe' })).files, [...own, '.gitignore'])
  const other = await temporaryFolder(t)
  await writeTree(other, { '.gitignore': '/keys/\n' })
  assert.deepEqual((await initProject({ dir: other, name: 'probe' })).files, own)
})

test('the platforms are written down: this machine for what is compiled or found, else four', async (t) => {
  const own = [platformOf(process.platform, process.arch)]
  const four = ['linux-amd64', 'linux-arm64', 'darwin-arm64', 'windows-amd64']
  const expected = { command: own, files: own, script: four, node: four, directory: four }
  for (const [type, platforms] of Object.entries(expected)) {
    const dir = await temporaryFolder(t)
    await initProject({ dir, name: 'probe', type: type as keyof typeof expected })
    assert.deepEqual((await readConfig(join(dir, 'moult.config.json'))).config.platforms, platforms, type)
  }
})

test('an agent that is not there yet is named', async (t) => {
  const missingOf = async (options: object, files: Record<string, string> = {}): Promise<string | undefined> => {
    const dir = await temporaryFolder(t)
    await writeTree(dir, files)
    return (await initProject({ dir, name: 'probe', ...options })).missing
  }
  assert.equal(await missingOf({ agent: 'agent.ts' }), 'agent.ts')
  assert.equal(await missingOf({ agent: 'agent.ts' }, { 'agent.ts': '' }), undefined)
  const own = platformOf(process.platform, process.arch)
  assert.equal(await missingOf({ agent: 'bin/{platform}' }), `bin/${own}`)
  assert.equal(await missingOf({ agent: 'bin/{platform}' }, { [`bin/${own}`]: '' }), undefined)
  assert.equal(await missingOf({ type: 'command' }), undefined)
})

test('a path that cannot be filled is found before anything is written', async (t) => {
  const dir = await temporaryFolder(t)
  await assert.rejects(initProject({ dir, name: 'probe', agent: '{platfrom}' }), failsWith('ERR_CONFIG_INVALID'))
  assert.deepEqual(await readdir(dir), [])
})
