import { sha256 } from './canonical-json.ts'
import { assertStrongPublicKey, SIGNATURE_BYTES } from './ed25519.ts'

/** Lower-case hexadecimal SHA-256 of the 32 bytes of a public key. */
export type KeyId = string

export const HEX_SHA256 = /^[0-9a-f]{64}$/

export function keyIdOf(publicKey: Uint8Array): KeyId {
  return sha256(publicKey)
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** Bytes of strict base64 (RFC 4648, padded, no spaces, zero spare bits) of exactly `length` bytes, else undefined. */
export function decodeBase64(text: string, length: number): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === length && bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined
}

/** @throws MoultError ERR_TRUST_KEY */
export function decodePublicKey(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  const key = new Uint8Array(bytes.toString('base64') === text ? bytes : [])
  assertStrongPublicKey(key)
  return key
}

export function decodeSignature(text: string): Uint8Array | undefined {
  return decodeBase64(text, SIGNATURE_BYTES)
}
