import assert from 'node:assert/strict'
import { chmod, link, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { encodeBase64 } from '../../../manifests/index.ts'
import { formatKeyFile, readKeyFile, readStoredKey } from '../../../release/signers/key-file.ts'
import { encryptKeyFile, makeKeyFile } from '../../../release/signers/make-key.ts'
import { createPrivateFile, replacePrivateFile } from '../../../release/signers/private-files.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'

const SEED = new Uint8Array(32).fill(41)
const ask = () => Promise.resolve('correct horse')
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

test('case 44: a new key is a seed and nothing else, closed to others, in a folder closed to others', async (t) => {
  const dir = await temporaryFolder(t)
  const before = process.umask(0)
  t.after(() => process.umask(before))
  const path = join(dir, 'keys/deep/a.key')
  const { id, encrypted } = await makeKeyFile(path)
  assert.equal(encrypted, false)
  assert.deepEqual(
    [await modeOf(path), await modeOf(join(dir, 'keys')), await modeOf(join(dir, 'keys/deep'))],
    [0o600, 0o700, 0o700],
  )
  assert.deepEqual(Object.keys(JSON.parse(await readFile(path, 'utf8')) as object), ['format', 'type', 'seed'])
  assert.equal((await readKeyFile(path)).keyId, id)
})

test('case 44: no key is ever written over anything, be it a file, a link, or a dangling link', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'file'), 'x')
  await symlink(join(dir, 'file'), join(dir, 'link'))
  await symlink(join(dir, 'none'), join(dir, 'dangling'))
  for (const name of ['file', 'link', 'dangling']) {
    await assert.rejects(makeKeyFile(join(dir, name)), failsWith('ERR_USAGE_EXISTS'))
  }
  assert.deepEqual([await readFile(join(dir, 'file'), 'utf8'), await readdir(dir)], ['x', ['dangling', 'file', 'link']])
})

test('case 44: the mode is 0600 from before the first byte', async (t) => {
  const path = join(await temporaryFolder(t), 'a.key')
  const before = process.umask(0)
  t.after(() => process.umask(before))
  const text = 'x'.repeat(50_000_000)
  let isDone = false
  const written = createPrivateFile(path, text).finally(() => (isDone = true))
  const seen: { mode: number; size: number }[] = []
  while (!isDone) {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined) seen.push({ mode: found.mode & 0o777, size: found.size })
  }
  await written
  assert.ok(seen.some(({ size }) => size < text.length))
  assert.deepEqual([...new Set(seen.map(({ mode }) => mode))], [0o600])
})

test('a key is encrypted in place, stays the same key, and leaves no plain copy', async (t) => {
  const dir = await temporaryFolder(t)
  const path = join(dir, 'a.key')
  await writeFile(path, formatKeyFile(SEED), { mode: 0o600 })
  const { keyId } = await readKeyFile(path)
  assert.equal((await encryptKeyFile(path, ask)).id, keyId)
  assert.equal((await readStoredKey(path)).kind, 'encrypted')
  assert.equal((await readKeyFile(path, ask)).keyId, keyId)
  assert.deepEqual([await readdir(dir), await modeOf(path)], [['a.key'], 0o600])
  assert.ok(!(await readFile(path, 'utf8')).includes(encodeBase64(SEED).slice(0, 12)))
  await assert.rejects(encryptKeyFile(path, ask), failsWith('ERR_CONFIG_KEY', /encrypted already/))
})

test('through a symbolic link it is the file that gets encrypted, and a second name is refused', async (t) => {
  const dir = await temporaryFolder(t)
  await mkdir(join(dir, 'safe'))
  const path = join(dir, 'safe/a.key')
  await writeFile(path, formatKeyFile(SEED), { mode: 0o600 })
  await symlink('safe/a.key', join(dir, 'a.key'))
  await link(path, join(dir, 'forgotten'))
  await assert.rejects(encryptKeyFile(path, ask), failsWith('ERR_CONFIG_KEY', /has 2 names/))
  await rm(join(dir, 'forgotten'))
  await encryptKeyFile(join(dir, 'a.key'), ask)
  assert.ok((await lstat(join(dir, 'a.key'))).isSymbolicLink())
  assert.equal((await readStoredKey(path)).kind, 'encrypted')
})

test('an encryption that fails leaves the key as it was', async (t) => {
  const dir = await temporaryFolder(t)
  const path = join(dir, 'a.key')
  await writeFile(path, formatKeyFile(SEED), { mode: 0o600 })
  await assert.rejects(
    encryptKeyFile(path, () => Promise.resolve('short')),
    failsWith('ERR_CONFIG_KEY', /less than 8/),
  )
  await assert.rejects(
    replacePrivateFile(path, 'x', () => Promise.reject(new Error('no'))),
    /no/,
  )
  assert.deepEqual([await readFile(path, 'utf8'), await readdir(dir)], [formatKeyFile(SEED), ['a.key']])
  await chmod(path, 0o644)
  await assert.rejects(encryptKeyFile(path, ask), failsWith('ERR_CONFIG_KEY', /others than its owner/))
})
