import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { encodeBase64, keyIdOf } from '../../../manifests/index.ts'
import { formatEncryptedKeyFile, formatKeyFile } from '../../../release/signers/key-file.ts'
import { formatPublicKey, publicKeyDocument, readPublicKey } from '../../../release/signers/public-key.ts'
import { signerOfSeed } from '../../../release/signers/signer.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'

const SEED = new Uint8Array(32).fill(51)
const { publicKey } = signerOfSeed(SEED)
const TEXT = encodeBase64(publicKey)

test('a public key is read from base64, a public key file, and private key files without a passphrase', async (t) => {
  const dir = await temporaryFolder(t)
  const files: Record<string, string> = {
    'a.pub': formatPublicKey(publicKey),
    'plain.key': formatKeyFile(SEED),
    'encrypted.key': await formatEncryptedKeyFile(SEED, 'correct horse'),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text, { mode: 0o600 })
  for (const source of [TEXT, ...Object.keys(files).map((name) => join(dir, name))]) {
    assert.deepEqual(await readPublicKey(source), publicKey, source)
  }
})

test('the file holds the key and its id', () => {
  assert.deepEqual(JSON.parse(formatPublicKey(publicKey)), {
    format: 'moult-public-key/1',
    type: 'ed25519',
    public: TEXT,
    id: keyIdOf(publicKey),
  })
})

test('a weak key, a wrong id, another format or member, and rubbish are refused', async (t) => {
  const path = join(await temporaryFolder(t), 'a.pub')
  const good = publicKeyDocument(publicKey)
  const weak = new Uint8Array(32)
  const cases: readonly (readonly [string, string])[] = [
    [JSON.stringify({ ...good, id: keyIdOf(weak) }), 'ERR_CONFIG_KEY'],
    [JSON.stringify({ ...good, id: 7 }), 'ERR_CONFIG_KEY'],
    [JSON.stringify({ ...good, format: 'moult-public-key/2' }), 'ERR_CONFIG_KEY'],
    [JSON.stringify({ ...good, seed: 'x' }), 'ERR_CONFIG_KEY'],
    [JSON.stringify({ ...good, public: encodeBase64(weak), id: keyIdOf(weak) }), 'ERR_TRUST_KEY'],
    [JSON.stringify({ ...good, public: TEXT.slice(1) }), 'ERR_TRUST_KEY'],
    // It could as well be a seed.
    [`${TEXT}\n`, 'ERR_CONFIG_KEY'],
    [TEXT, 'ERR_CONFIG_KEY'],
    [encodeBase64(SEED), 'ERR_CONFIG_KEY'],
    ['null', 'ERR_CONFIG_KEY'],
    ['', 'ERR_CONFIG_KEY'],
    ['x'.repeat(10_000), 'ERR_CONFIG_KEY'],
  ]
  for (const [text, code] of cases) {
    await writeFile(path, text)
    await assert.rejects(readPublicKey(path), failsWith(code), text.slice(0, 80))
  }
  await assert.rejects(readPublicKey(encodeBase64(weak)), failsWith('ERR_TRUST_KEY'))
  await assert.rejects(readPublicKey(join(path, 'none')), failsWith('ERR_CONFIG_KEY'))
})

test('a private key file that others can read gives no public key either', async (t) => {
  const path = join(await temporaryFolder(t), 'a.key')
  await writeFile(path, formatKeyFile(SEED))
  await chmod(path, 0o644)
  await assert.rejects(readPublicKey(path), failsWith('ERR_CONFIG_KEY', /others than its owner/))
})
