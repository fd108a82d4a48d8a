import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { describe, test } from 'node:test'

import nacl from 'tweetnacl'

import { assertStrongPublicKey, verifySignature } from '../../manifests/index.ts'
import { publicKeyOfSeed, signWithSeed } from '../../release/signers/ed25519-seed.ts'
import { makeKey } from '../fixtures/signed-manifest.ts'
import { Random, testSeed } from '../fuzz/random.ts'
import { craftSignature, smallPoint } from '../vector-cases/edwards.ts'

const L = 2n ** 252n + 27742317777372353535851937790883648493n
const P = 2n ** 255n - 19n
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

function littleEndian(value: bigint, length = 32): Uint8Array {
  return hex(value.toString(16).padStart(length * 2, '0')).reverse()
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

/** The verdict of node:crypto (OpenSSL). */
function nodeVerify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const der = Buffer.concat([hex('302a300506032b6570032100'), publicKey])
  return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature)
}

/** The same signature with S + L: another encoding of the same number modulo L. */
function malleate(signature: Uint8Array, times = 1n): Uint8Array {
  return new Uint8Array([...signature.subarray(0, 32), ...littleEndian(toBigInt(signature.subarray(32)) + times * L)])
}

describe('Ed25519', () => {
  // RFC 8032, section 7.1, tests 1 to 3.
  const rfc8032 = [
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ] as const

  test('gives the keys and signatures of RFC 8032', () => {
    for (const [seed, publicKey, message, signature] of rfc8032) {
      assert.deepEqual(publicKeyOfSeed(hex(seed)), hex(publicKey))
      assert.deepEqual(signWithSeed(hex(message), hex(seed)), hex(signature))
      assert.equal(verifySignature(hex(message), hex(signature), hex(publicKey)), true)
      assert.doesNotThrow(() => assertStrongPublicKey(hex(publicKey)))
    }
  })

  test('refuses a malleated signature that tweetnacl alone would take', () => {
    const { seed, publicKey } = makeKey('malleable')
    const message = hex('00')
    const signature = signWithSeed(message, seed)
    assert.equal(verifySignature(message, signature, publicKey), true)
    assert.equal(nacl.sign.detached.verify(message, malleate(signature), publicKey), true, 'the attack is real')
    for (const times of [1n, 2n, 7n, 14n])
      assert.equal(verifySignature(message, malleate(signature, times), publicKey), false)
  })

  test('gives the verdict of node:crypto for valid, damaged, foreign, random and malleated signatures', () => {
    for (let round = 0; round < 20; round += 1) {
      const { seed, publicKey } = makeKey(`differential ${round}`)
      const message = new Uint8Array(makeKey(`message ${round}`).seed.subarray(0, round))
      const signature = signWithSeed(message, seed)
      const bit = (round * 37) % 512
      const damaged = signature.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      const random = new Uint8Array([...makeKey(`r ${round}`).publicKey, ...makeKey(`s ${round}`).seed])
      const cases: [string, Uint8Array, Uint8Array, boolean][] = [
        ['valid', message, signature, true],
        ['damaged', message, damaged, false],
        ['another message', new Uint8Array([...message, 0]), signature, false],
        ['random', message, random, false],
        ['S + L', message, malleate(signature), false],
        ['zero', message, new Uint8Array(64), false],
      ]
      for (const [name, body, sig, expected] of cases) {
        assert.equal(verifySignature(body, sig, publicKey), expected, `${name} ${round}`)
        assert.equal(nodeVerify(body, sig, publicKey), expected, `node:crypto, ${name} ${round}`)
      }
    }
  })

  test('gives the verdict of node:crypto for weak and odd keys and points too, where only the key check stands between', () => {
    const message = hex('c0ffee')
    const small = torsionPoints().map(([x, y]) => hex(encode(y, x & 1n)))
    const signer = makeKey('differential')
    const strong = signer.publicKey
    const mixed = mixedOrderKey(strong)
    const signature = signWithSeed(message, signer.seed)
    const scalars = [0n, 1n, L, toBigInt(signature.subarray(32))].map((s) => littleEndian(s))
    let forged = 0
    for (const key of [...small, strong, mixed]) {
      for (const r of [...small, signature.subarray(0, 32)]) {
        for (const s of scalars) {
          const offered = new Uint8Array([...r, ...s])
          const isValid = verifySignature(message, offered, key)
          assert.equal(isValid, nodeVerify(message, offered, key), Buffer.from([...key, ...offered]).toString('hex'))
          if (!isValid || Buffer.compare(offered, signature) === 0) continue
          forged += 1
          assert.throws(() => assertStrongPublicKey(key), { code: 'ERR_TRUST_KEY' })
        }
      }
    }
    assert.ok(forged > 0, 'no forgery with a weak key: the attack was not tried')
    assert.doesNotThrow(() => assertStrongPublicKey(mixed))
  })

  test('gives the verdict of node:crypto for signatures that hold only if multiplied by the cofactor', () => {
    const key = makeKey('cofactor')
    for (let times = 0; times < 8; times += 1) {
      const message = new Uint8Array([times])
      const crafted = craftSignature(message, key, BigInt(1000 + times), smallPoint(times))
      assert.equal(verifySignature(message, crafted, key.publicKey), times === 0)
      assert.equal(nodeVerify(message, crafted, key.publicKey), times === 0)
    }
  })

  test('gives the verdict of node:crypto for random keys, messages and signatures', (t) => {
    const seed = testSeed()
    t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
    const random = new Random(seed)
    const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256))
    for (let round = 0; round < 40; round += 1) {
      const secret = bytes(32)
      const message = bytes(random.below(200))
      const signature = signWithSeed(message, secret)
      const damaged = signature.with(random.below(64), random.below(256))
      for (const [offered, key] of [
        [signature, publicKeyOfSeed(secret)],
        [damaged, publicKeyOfSeed(secret)],
        [malleate(signature), publicKeyOfSeed(secret)],
        [bytes(64), publicKeyOfSeed(secret)],
        [signature, bytes(32)],
      ] as const) {
        assert.equal(
          verifySignature(message, offered, key),
          nodeVerify(message, offered, key),
          `seed ${seed}, round ${round}`,
        )
      }
    }
  })

  test('says false, without an exception, to signatures and keys of another length', () => {
    const { seed, publicKey } = makeKey('lengths')
    const signature = signWithSeed(hex('01'), seed)
    for (const length of [0, 1, 31, 32, 63]) {
      assert.equal(verifySignature(hex('01'), signature.subarray(0, length), publicKey), false)
    }
    assert.equal(verifySignature(hex('01'), new Uint8Array([...signature, 0]), publicKey), false)
    for (const length of [0, 31])
      assert.equal(verifySignature(hex('01'), signature, publicKey.subarray(0, length)), false)
    assert.equal(verifySignature(hex('01'), signature, new Uint8Array([...publicKey, 0])), false)
  })

  test('says false for a key that is no point of the curve', () => {
    const signature = signWithSeed(hex('01'), makeKey('off curve').seed)
    const offCurve = [2n, 7n].map((y) => littleEndian(y))
    assert.ok(offCurve.every((key) => pointOfKey(key) === undefined))
    for (const key of offCurve) assert.equal(verifySignature(hex('01'), signature, key), false)
  })
})

describe('strong public keys', () => {
  const weak = { name: 'MoultError', code: 'ERR_TRUST_KEY' }

  test('have 32 bytes', () => {
    const { publicKey } = makeKey('strong')
    assert.doesNotThrow(() => assertStrongPublicKey(publicKey))
    for (const length of [0, 1, 31]) assert.throws(() => assertStrongPublicKey(publicKey.subarray(0, length)), weak)
    assert.throws(() => assertStrongPublicKey(new Uint8Array([...publicKey, 0])), weak)
  })

  test('are not of small order, in any encoding', () => {
    const torsion = torsionPoints()
    assert.equal(torsion.length, 8)
    const encodings = new Set<string>()
    for (const [x, y] of torsion) {
      for (const sign of x === 0n ? [0n, 1n] : [x & 1n]) {
        // y + p is a second encoding where it fits in 255 bits.
        for (const alias of [y, y + P]) if (alias < 2n ** 255n) encodings.add(encode(alias, sign))
      }
    }
    assert.equal(encodings.size, 14)
    for (const encoding of encodings) assert.throws(() => assertStrongPublicKey(hex(encoding)), weak, encoding)
  })

  test('are not of small order, because such a key accepts a forgery of any message', () => {
    const identity = littleEndian(1n)
    const forgery = new Uint8Array([...identity, ...new Uint8Array(32)])
    assert.equal(nacl.sign.detached.verify(hex('c0ffee'), forgery, identity), true, 'the attack is real')
    assert.equal(nodeVerify(hex('c0ffee'), forgery, identity), true, 'in OpenSSL too')
    assert.throws(() => assertStrongPublicKey(identity), { ...weak, message: 'a public key of small order' })
  })

  test('are canonically encoded: the coordinate is below the prime', () => {
    for (let y = P; y < 2n ** 255n; y += 1n) {
      for (const sign of [0n, 1n]) assert.throws(() => assertStrongPublicKey(hex(encode(y, sign))), weak)
    }
    assert.doesNotThrow(() => assertStrongPublicKey(hex(encode(P - 2n, 0n))))
    assert.doesNotThrow(() => assertStrongPublicKey(hex(encode(2n, 1n))))
  })
})

// The curve, written again from RFC 8032 so that the constants of the code under test are not their own witness.
type Point = readonly [x: bigint, y: bigint]
const mod = (value: bigint): bigint => ((value % P) + P) % P
const D = mod(-121665n * power(121666n, P - 2n))

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P)
    if ((e & 1n) === 1n) result = (result * b) % P
  return result
}

function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const t = mod(D * x1 * x2 * y1 * y2)
  return [mod((x1 * y2 + x2 * y1) * power(1n + t, P - 2n)), mod((y1 * y2 + x1 * x2) * power(1n - t, P - 2n))]
}

function multiply(point: Point, scalar: bigint): Point {
  let result: Point = [0n, 1n]
  for (let p = point, s = scalar; s > 0n; s >>= 1n, p = add(p, p)) if ((s & 1n) === 1n) result = add(result, p)
  return result
}

function pointOfKey(key: Uint8Array): Point | undefined {
  const y = toBigInt(key) & (2n ** 255n - 1n)
  const square = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n))
  const root = power(square, (P + 3n) / 8n)
  const x = [root, mod(root * power(2n, (P - 1n) / 4n))].find((candidate) => mod(candidate * candidate) === square)
  return x === undefined ? undefined : [x, y]
}

/** The eight points whose order divides 8: the multiples of L times a point outside the main subgroup. */
function torsionPoints(): Point[] {
  for (let y = 2n; ; y += 1n) {
    const point = pointOfKey(littleEndian(y))
    if (point === undefined) continue
    const generator = multiply(point, L)
    const points = Array.from({ length: 8 }, (_, k) => multiply(generator, BigInt(k)))
    if (new Set(points.map(String)).size === 8) return points
  }
}

/** A key of the main subgroup with a point of small order added: neither weak nor what a signer makes. */
function mixedOrderKey(key: Uint8Array): Uint8Array {
  const point = pointOfKey(key)
  const [, small] = torsionPoints()
  if (point === undefined || small === undefined) throw new Error('no such point')
  const x = (point[0] & 1n) === BigInt((key[31] ?? 0) >> 7) ? point[0] : P - point[0]
  const [mixedX, mixedY] = add([x, point[1]], small)
  return hex(encode(mixedY, mixedX & 1n))
}

function encode(y: bigint, sign: bigint): string {
  return Buffer.from(littleEndian(y | (sign << 255n))).toString('hex')
}
