import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { encodeBase64, isMoultError, verifySignature } from '../../../manifests/index.ts'
import { formatKeyFile, readKeyFile } from '../../../release/signers/key-file.ts'
import { openSigner, withoutKeys } from '../../../release/signers/open-signer.ts'
import { signerOfSeed } from '../../../release/signers/signer.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'

const SEED = new Uint8Array(32).fill(7)
const TEXT = encodeBase64(SEED)
const around = (env: Record<string, string> = {}) => ({ env, signal: new AbortController().signal })

test('a key file gives the signer of its seed', async (t) => {
  const path = join(await temporaryFolder(t), 'a.key')
  await writeFile(path, formatKeyFile(SEED), { mode: 0o600 })
  const signer = await readKeyFile(path)
  assert.equal(signer.keyId, signerOfSeed(SEED).keyId)
  const bytes = new TextEncoder().encode('hello')
  assert.ok(verifySignature(bytes, await signer.sign(bytes), signer.publicKey))
  assert.deepEqual(Object.keys(JSON.parse(await readFile(path, 'utf8')) as object), ['format', 'type', 'seed'])
})

test('a key file that others can read is refused, with the command that closes it', async (t) => {
  const path = join(await temporaryFolder(t), 'a.key')
  await writeFile(path, formatKeyFile(SEED))
  for (const mode of [0o644, 0o640, 0o604]) {
    await chmod(path, mode)
    await assert.rejects(
      readKeyFile(path),
      (error: unknown) => isMoultError(error) && /chmod 600/.test(error.hint ?? ''),
    )
  }
})

test('a damaged key file is refused, and nothing of it is quoted', async (t) => {
  const path = join(await temporaryFolder(t), 'a.key')
  const good = formatKeyFile(SEED)
  for (const text of [
    good.replace('"type"', '"type'),
    good.replace(TEXT, TEXT.slice(1)),
    good.replace('key/1', 'key/2'),
    TEXT,
    '[]',
    '',
  ]) {
    await writeFile(path, text, { mode: 0o600 })
    await assert.rejects(readKeyFile(path), (error: unknown) => {
      assert.ok(isMoultError(error) && error.code === 'ERR_CONFIG_KEY')
      assert.ok(!inspect(error, { depth: 10 }).includes(TEXT.slice(4, 20)), 'the error quotes the seed')
      return true
    })
  }
})

test('a missing key names the ways to give one', async (t) => {
  const dir = await temporaryFolder(t)
  await assert.rejects(openSigner(undefined, dir, around()), failsWith('ERR_CONFIG_KEY', /no such key file/))
  await assert.rejects(
    openSigner({ env: 'CI_KEY' }, dir, around()),
    failsWith('ERR_CONFIG_KEY', /not set: the variable CI_KEY/),
  )
})

test('MOULT_KEY stands in for the default key file, and a configured variable for both', async (t) => {
  const dir = await temporaryFolder(t)
  const env = { MOULT_KEY: TEXT, CI_KEY: encodeBase64(new Uint8Array(32).fill(8)) }
  assert.equal((await openSigner(undefined, dir, around(env))).keyId, signerOfSeed(SEED).keyId)
  assert.notEqual((await openSigner({ env: 'CI_KEY' }, dir, around(env))).keyId, signerOfSeed(SEED).keyId)
})

test('a variable that holds no seed is refused without being quoted', async (t) => {
  const dir = await temporaryFolder(t)
  await assert.rejects(openSigner(undefined, dir, around({ MOULT_KEY: 'sesame' })), (error: unknown) => {
    return failsWith('ERR_CONFIG_KEY')(error) && !inspect(error).includes('sesame')
  })
})

test('printing a signer shows no private half', () => {
  const shown = inspect(signerOfSeed(SEED), { depth: 10, showHidden: true })
  assert.doesNotMatch(shown, /\b7,\s+7,\s+7\b/)
})

test('the environment of builds has no key, under whatever name it is configured', () => {
  const env = { MOULT_KEY: TEXT, MOULT_PASSPHRASE: 'open', A: TEXT, B: TEXT, PATH: '/bin' }
  assert.deepEqual(withoutKeys(env, { keys: { release: [{ env: 'A' }], rollout: [{ env: 'B' }] } }), { PATH: '/bin' })
})
