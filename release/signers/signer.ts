import { type KeyId, keyIdOf } from '../../manifests/index.ts'
import { publicKeyOfSeed, signWithSeed } from './ed25519-seed.ts'

/**
 * Port to a private key, wherever it lives. A signer MUST NOT let the key reach an error, a log line, an argument list
 * or the environment of another process. What it answers is checked with the public key before it is used.
 */
export interface Signer {
  readonly keyId: KeyId
  readonly publicKey: Uint8Array
  /** The Ed25519 signature, 64 bytes, of exactly these bytes. */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

/** The seed stays inside the closure: printing the signer shows only its public half. */
export function signerOfSeed(seed: Uint8Array): Signer {
  const publicKey = publicKeyOfSeed(seed)
  return { keyId: keyIdOf(publicKey), publicKey, sign: (bytes) => Promise.resolve(signWithSeed(bytes, seed)) }
}
