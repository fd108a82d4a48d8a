import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { inspect } from 'node:util'

import { encodeBase64, isMoultError } from '../../../manifests/index.ts'
import { formatEncryptedKeyFile, formatKeyFile, parseKeyFile, readKeyFile } from '../../../release/signers/key-file.ts'
import { signerOfSeed } from '../../../release/signers/signer.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'

const SEED = new Uint8Array(32).fill(31)
const PASSPHRASE = 'six words nobody puts together: é'
const ask = (text: string) => () => Promise.resolve(text)

interface Encrypted {
  format: string
  type: string
  public: string
  encrypted: Record<string, unknown>
}

describe('an encrypted key file', () => {
  let text = ''
  before(async () => {
    text = await formatEncryptedKeyFile(SEED, PASSPHRASE)
  })
  const changed = (change: (document: Encrypted) => void): string => {
    const document = JSON.parse(text) as Encrypted
    change(document)
    return JSON.stringify(document)
  }

  test('opens with its passphrase, in either form of its accented letters', async (t) => {
    const path = join(await temporaryFolder(t), 'a.key')
    await writeFile(path, text, { mode: 0o600 })
    for (const form of ['NFC', 'NFD'] as const) {
      assert.equal((await readKeyFile(path, ask(PASSPHRASE.normalize(form)))).keyId, signerOfSeed(SEED).keyId)
    }
  })

  test('holds the parameters and the public half, and no seed', () => {
    const { encrypted, ...header } = JSON.parse(text) as Encrypted
    assert.deepEqual(header, {
      format: 'moult-key/1',
      type: 'ed25519',
      public: encodeBase64(signerOfSeed(SEED).publicKey),
    })
    const { kdf, n, r, p, cipher } = encrypted
    assert.deepEqual({ kdf, n, r, p, cipher }, { kdf: 'scrypt', n: 2 ** 17, r: 8, p: 1, cipher: 'aes-256-gcm' })
    assert.ok(!text.includes(encodeBase64(SEED).slice(2, 14)))
  })

  test('has another salt, nonce and content each time', async () => {
    const [one, two] = [text, await formatEncryptedKeyFile(SEED, PASSPHRASE)].map(
      (each) => JSON.parse(each) as Encrypted,
    )
    for (const member of ['salt', 'nonce', 'data']) assert.notEqual(one?.encrypted[member], two?.encrypted[member])
  })

  test('without a passphrase, or with a wrong one, is refused with the ways to give it', async (t) => {
    const path = join(await temporaryFolder(t), 'a.key')
    await writeFile(path, text, { mode: 0o600 })
    await assert.rejects(readKeyFile(path), (error: unknown) => {
      return (
        failsWith('ERR_CONFIG_KEY', /encrypted/)(error) && /MOULT_PASSPHRASE/.test((error as { hint: string }).hint)
      )
    })
    await assert.rejects(readKeyFile(path, ask('wrong')), (error: unknown) => {
      assert.ok(isMoultError(error) && /passphrase is wrong, or the key file was changed/.test(error.message))
      assert.ok(error.hint !== undefined && !inspect(error).includes("wrong'"))
      return error.code === 'ERR_CONFIG_KEY'
    })
  })

  test('case 44: a changed parameter, public half, salt, nonce or box gives the same refusal as a wrong passphrase', async (t) => {
    const path = join(await temporaryFolder(t), 'a.key')
    const other = signerOfSeed(new Uint8Array(32).fill(32)).publicKey
    const flip = (value: unknown): string => {
      const bytes = Buffer.from(String(value), 'base64')
      bytes[0] = (bytes[0] ?? 0) ^ 1
      return bytes.toString('base64')
    }
    const changes: ((document: Encrypted) => void)[] = [
      (document) => (document.public = encodeBase64(other)),
      (document) => (document.encrypted['n'] = 2 ** 16),
      ...['salt', 'nonce', 'data'].map((member) => ({ encrypted }: Encrypted) => {
        encrypted[member] = flip(encrypted[member])
      }),
    ]
    for (const change of changes) {
      await writeFile(path, changed(change), { mode: 0o600 })
      await assert.rejects(
        readKeyFile(path, ask(PASSPHRASE)),
        failsWith('ERR_CONFIG_KEY', /the passphrase is wrong, or the key file was changed/),
      )
    }
  })

  test('of unknown or too large parameters is no key file, and no memory is taken for it', () => {
    const members: Record<string, unknown>[] = [
      { n: 2 ** 30 },
      { n: 2 ** 15 },
      { n: 2 ** 17 + 1 },
      { n: '131072' },
      { r: 64 },
      { p: 16 },
      { kdf: 'pbkdf2' },
      { cipher: 'aes-256-ctr' },
      { salt: 'AAAA' },
      { nonce: encodeBase64(new Uint8Array(16)) },
      { data: encodeBase64(new Uint8Array(32)) },
      { extra: 1 },
    ]
    for (const member of members) {
      const spoilt = changed(({ encrypted }) => Object.assign(encrypted, member))
      assert.equal(parseKeyFile(spoilt), undefined, JSON.stringify(member))
    }
    assert.equal(parseKeyFile(changed((document) => Object.assign(document, { seed: encodeBase64(SEED) }))), undefined)
    assert.equal(parseKeyFile(changed((document) => (document.public = encodeBase64(new Uint8Array(32))))), undefined)
    assert.equal(parseKeyFile(text)?.kind, 'encrypted')
  })
})

test('case 44: beside a seed in the clear, a public half that is not its own makes the file unusable', () => {
  const own = encodeBase64(signerOfSeed(SEED).publicKey)
  const plain = JSON.parse(formatKeyFile(SEED)) as object
  assert.equal(parseKeyFile(JSON.stringify({ ...plain, public: own }))?.kind, 'plain')
  for (const text of [encodeBase64(signerOfSeed(new Uint8Array(32)).publicKey), own.slice(1), '', 7]) {
    assert.equal(parseKeyFile(JSON.stringify({ ...plain, public: text })), undefined)
  }
})
