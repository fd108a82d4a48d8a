import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'

import { decodeBase64, decodePublicKey, encodeBase64, HEX_SHA256, keyIdOf } from '../../manifests/index.ts'
import { makeKey } from '../fixtures/signed-manifest.ts'

describe('keys', () => {
  const key = makeKey('keys')
  const text = encodeBase64(key.publicKey)

  test('a key id is the SHA-256 of the raw public key', () => {
    assert.equal(keyIdOf(key.publicKey), createHash('sha256').update(key.publicKey).digest('hex'))
    assert.match(key.id, HEX_SHA256)
  })

  test('HEX_SHA256 takes 64 lower-case hexadecimal digits and nothing around them', () => {
    for (const bad of [
      key.id.toUpperCase(),
      key.id.slice(1),
      `${key.id}0`,
      `g${key.id.slice(1)}`,
      `${key.id}\n`,
      ` ${key.id}`,
      '',
    ]) {
      assert.doesNotMatch(bad, HEX_SHA256)
    }
  })

  test('base64 is read in its one spelling', () => {
    assert.deepEqual(decodeBase64(text, 32), key.publicKey)
    assert.deepEqual(decodeBase64('', 0), new Uint8Array(0))
    assert.deepEqual(decodeBase64('+/+/', 3), new Uint8Array([0xfb, 0xff, 0xbf]))
    const spareBits = `${text.slice(0, -2)}${String.fromCharCode(text.charCodeAt(text.length - 2) + 1)}=`
    assert.deepEqual(Buffer.from(spareBits, 'base64'), Buffer.from(key.publicKey), 'Node alone would take it')
    const unclean = [
      spareBits,
      text.slice(0, -1),
      `${text}=`,
      `${text}\n`,
      ` ${text}`,
      `${text.slice(0, 8)}\n${text.slice(8)}`,
    ]
    for (const bad of [...unclean, `${text.slice(0, 4)}*${text.slice(4)}`, `${text}AAAA`, text.slice(4)]) {
      assert.equal(decodeBase64(bad, 32), undefined, bad)
    }
    assert.equal(decodeBase64('-_-_', 3), undefined, 'the URL alphabet')
    assert.equal(decodeBase64(text, 31), undefined)
  })

  test('a public key is strict base64 of a strong key', () => {
    assert.deepEqual(decodePublicKey(text), key.publicKey)
    const smallOrder = encodeBase64(new Uint8Array(32))
    for (const bad of [
      '',
      `${text}\n`,
      text.slice(0, -1),
      key.id,
      smallOrder,
      encodeBase64(key.publicKey.subarray(1)),
    ]) {
      assert.throws(() => decodePublicKey(bad), { name: 'MoultError', code: 'ERR_TRUST_KEY' }, bad)
    }
  })
})
