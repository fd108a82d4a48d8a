// Ed25519 (RFC 8032), the public half. It is verified by node:crypto, which takes a fiftieth of the time of tweetnacl, by
// which signatures are made: an agent verifies at every poll. Tests hold the two equal on sound, broken and malleated
// signatures.
//
// The checks before are ours, since libraries differ in them: an S beyond the group order (with which anyone could derive
// a second valid signature) and weak or oddly encoded public keys.

import { createPublicKey, verify } from 'node:crypto'

import { MoultError } from './errors.ts'

export const SEED_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

/** What stands before the 32 bytes of a public key in its DER form (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
/** Order of the base point, L = 2^252 + 27742317777372353535851937790883648493. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
const FIELD_PRIME = 2n ** 255n - 19n
/** The y coordinates of the eight points of small order; the sign bit of x is left out. */
const SMALL_ORDER_Y: readonly bigint[] = [
  0n,
  1n,
  FIELD_PRIME - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]

/**
 * Refuses public keys that are not 32 bytes, not canonically encoded, or of small order.
 * @throws MoultError ERR_TRUST_KEY
 */
export function assertStrongPublicKey(key: Uint8Array): void {
  if (key.length !== PUBLIC_KEY_BYTES) {
    throw new MoultError('ERR_TRUST_KEY', `a public key of ${key.length} bytes instead of ${PUBLIC_KEY_BYTES}`)
  }
  const y = littleEndian(key) & (2n ** 255n - 1n)
  if (y >= FIELD_PRIME) throw new MoultError('ERR_TRUST_KEY', 'a public key that is not canonically encoded')
  if (SMALL_ORDER_Y.includes(y)) throw new MoultError('ERR_TRUST_KEY', 'a public key of small order')
}

/** True when `signature` is a valid, non-malleable signature of `message`; never throws for bad input. */
export function verifySignature(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false
  if (littleEndian(signature.subarray(32)) >= GROUP_ORDER) return false
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
    return verify(null, message, key, signature)
  } catch {
    // 32 bytes that are no point of the curve.
    return false
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}
