// The curve of Ed25519, written from RFC 8032 with big integers: slow, and good for signatures and keys that no signer
// makes. Nothing outside of the tests uses it.

import { createHash } from 'node:crypto'

import type { TestKey } from '../fixtures/signed-manifest.ts'

export type Point = readonly [x: bigint, y: bigint]

/** The prime of the field. */
export const P = 2n ** 255n - 19n
/** The order of the base point. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n
const D = mod(-121665n * power(121666n, P - 2n))
const BASE: Point = [
  15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  46316835694926478169428394003475163141307993866256225615783033603165251855960n,
]
/** A generator of the eight points of small order. */
const OF_ORDER_8 = decodePoint(Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex'))

/** The point of small order that is `times` the generator: of order 8, 4, 8, 2, 8, 4, 8 for 1 to 7. */
export function smallPoint(times: number): Point {
  return multiply(OF_ORDER_8, BigInt(times))
}

/**
 * A signature with a nonce of one's own, and a point of small order added to R. With a point other than the identity it
 * is valid only for those who multiply the equation by the cofactor.
 */
export function craftSignature(message: Uint8Array, key: TestKey, nonce: bigint, added: Point = [0n, 1n]): Uint8Array {
  const scalar = secretScalar(key)
  const r = encodePoint(add(multiply(BASE, nonce), added))
  const k = toInteger(createHash('sha512').update(r).update(key.publicKey).update(message).digest()) % L
  return new Uint8Array([...r, ...littleEndian((nonce + k * scalar) % L)])
}

/** The same signature with S + L: another encoding of the same number modulo L. */
export function malleate(signature: Uint8Array): Uint8Array {
  return new Uint8Array([...signature.subarray(0, 32), ...littleEndian(toInteger(signature.subarray(32)) + L)])
}

export function encodePoint([x, y]: Point): Uint8Array {
  return littleEndian(y | ((x & 1n) << 255n))
}

export function littleEndian(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse())
}

export function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

export function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const t = mod(D * x1 * x2 * y1 * y2)
  return [mod((x1 * y2 + x2 * y1) * power(1n + t, P - 2n)), mod((y1 * y2 + x1 * x2) * power(1n - t, P - 2n))]
}

function multiply(point: Point, scalar: bigint): Point {
  let result: Point = [0n, 1n]
  for (let p = point, s = scalar; s > 0n; s >>= 1n, p = add(p, p)) if ((s & 1n) === 1n) result = add(result, p)
  return result
}

/** @param bytes the encoding of a point of the curve; others give nonsense */
export function decodePoint(bytes: Uint8Array): Point {
  const encoded = toInteger(bytes)
  const y = encoded & (2n ** 255n - 1n)
  const square = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n))
  const root = power(square, (P + 3n) / 8n)
  const x = mod(root * root) === square ? root : mod(root * power(2n, (P - 1n) / 4n))
  return [(x & 1n) === encoded >> 255n ? x : P - x, y]
}

function secretScalar({ seed }: TestKey): bigint {
  const half = new Uint8Array(createHash('sha512').update(seed).digest().subarray(0, 32))
  half[0] = (half[0] ?? 0) & 248
  half[31] = ((half[31] ?? 0) & 127) | 64
  return toInteger(half)
}

function mod(value: bigint): bigint {
  return ((value % P) + P) % P
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P)
    if ((e & 1n) === 1n) result = (result * b) % P
  return result
}
