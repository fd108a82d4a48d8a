import assert from 'node:assert/strict'
import { test } from 'node:test'

import { assertSigned } from '../../manifests/index.ts'
import { signDocument } from '../../release/sign.ts'
import { signerOfSeed } from '../../release/signers/signer.ts'
import { failsWith } from './project-fixture.ts'

const one = signerOfSeed(new Uint8Array(32).fill(1))
const two = signerOfSeed(new Uint8Array(32).fill(2))

test('a document is signed by every signer', async () => {
  const signed = await signDocument({ a: 1 }, ['signatures'], [one, two])
  const keys = new Map([one, two].map(({ keyId, publicKey }) => [keyId, publicKey]))
  assertSigned('document', signed, ['signatures'], { threshold: 2, keys })
})

test('an answer that does not verify is refused before it is used', async () => {
  const liar = { ...one, sign: (bytes: Uint8Array) => two.sign(bytes) }
  await assert.rejects(signDocument({ a: 1 }, ['signatures'], [liar]), failsWith('ERR_TRUST_SIGNATURE'))
})
