// The half of Ed25519 that has the private key, by tweetnacl. It stands apart from `manifests/ed25519.ts` so that agents,
// which only verify, do not carry it: 5 MB of memory on every machine of a fleet.

import nacl from 'tweetnacl'

/** @param seed the 32-byte private key of RFC 8032; the public half is always derived from it */
export function signWithSeed(message: Uint8Array, seed: Uint8Array): Uint8Array {
  return nacl.sign.detached(message, nacl.sign.keyPair.fromSeed(seed).secretKey)
}

export function publicKeyOfSeed(seed: Uint8Array): Uint8Array {
  return nacl.sign.keyPair.fromSeed(seed).publicKey
}
