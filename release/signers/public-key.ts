// The public half of a key, as people hand it around: a small file, or its bare base64.

import {
  assertStrongPublicKey,
  decodeBase64,
  decodePublicKey,
  encodeBase64,
  HEX_SHA256,
  type KeyId,
  keyIdOf,
  MoultError,
  PUBLIC_KEY_BYTES,
} from '../../manifests/index.ts'
import { publicKeyOfSeed } from './ed25519-seed.ts'
import { assertPrivate, parseKeyFile, readKeyText } from './key-file.ts'
import { parseMembers } from './parse-members.ts'

export const PUBLIC_KEY_FORMAT = 'moult-public-key/1'

/** Content of a public key file. `id` lets a person compare it on the telephone; readers check it against the key. */
export interface PublicKeyDocument {
  readonly format: typeof PUBLIC_KEY_FORMAT
  readonly type: 'ed25519'
  /** Base64 of the 32 bytes. */
  readonly public: string
  readonly id: KeyId
}

export function publicKeyDocument(publicKey: Uint8Array): PublicKeyDocument {
  return { format: PUBLIC_KEY_FORMAT, type: 'ed25519', public: encodeBase64(publicKey), id: keyIdOf(publicKey) }
}

export function formatPublicKey(publicKey: Uint8Array): string {
  return `${JSON.stringify(publicKeyDocument(publicKey), null, 2)}\n`
}

/**
 * The public key that a text names: bare base64, a public key file, or a private key file, of which the public half is
 * taken (no passphrase is needed). A path that looks like base64 can be written as `./<path>`. A file with bare base64 is
 * refused: a seed, as the variable MOULT_KEY holds it, looks the same, and would end up in a root for all to read.
 * @throws MoultError ERR_TRUST_KEY for a weak key, ERR_CONFIG_KEY for anything that is no key
 */
export async function readPublicKey(source: string): Promise<Uint8Array> {
  const bare = readBare(source)
  if (bare !== undefined) return bare
  const { text, mode } = await readKeyText(source)
  const stored = parseKeyFile(text)
  if (stored !== undefined) {
    // Whoever hands out public keys from a private file that others can read should hear about it.
    assertPrivate(source, mode)
    return stored.kind === 'plain' ? publicKeyOfSeed(stored.seed) : stored.publicKey
  }
  const found = parsePublicKey(text)
  if (found !== undefined) return found
  throw new MoultError('ERR_CONFIG_KEY', `not a public key, and no file that holds one: ${source}`, {
    hint: 'Print it with `moult keys public <key file>`.',
    details: { path: source },
  })
}

/**
 * Reads the text of a public key file; undefined when it is none, or its id is not that of its key.
 * @throws MoultError ERR_TRUST_KEY for a weak key
 */
export function parsePublicKey(text: string): Uint8Array | undefined {
  const members = parseMembers(text)
  if (members === undefined) return undefined
  const { format, type, public: encoded, id, ...others } = members
  if (format !== PUBLIC_KEY_FORMAT || type !== 'ed25519' || Object.keys(others).length > 0) return undefined
  if (typeof encoded !== 'string' || typeof id !== 'string' || !HEX_SHA256.test(id)) return undefined
  const key = decodePublicKey(encoded)
  return keyIdOf(key) === id ? key : undefined
}

function readBare(text: string): Uint8Array | undefined {
  const key = decodeBase64(text, PUBLIC_KEY_BYTES)
  if (key !== undefined) assertStrongPublicKey(key)
  return key
}
