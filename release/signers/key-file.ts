// A private key in a file: small JSON with the 32-byte seed, in the clear or under a passphrase. The public half is
// derived. Only an encrypted file also stores it, so that it can be read without the passphrase; it is checked against
// the seed whenever that is decrypted.

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

import {
  assertStrongPublicKey,
  decodeBase64,
  encodeBase64,
  MoultError,
  PUBLIC_KEY_BYTES,
  SEED_BYTES,
} from '../../manifests/index.ts'
import { publicKeyOfSeed } from './ed25519-seed.ts'
import { shellWord } from '../shell-word.ts'
import { openSeed, readSealedSeed, type SealedSeed, sealSeed } from './key-encryption.ts'
import { type Signer, signerOfSeed } from './signer.ts'
import { parseMembers } from './parse-members.ts'

export const KEY_FORMAT = 'moult-key/1'
const KEY_FILE_MAX_BYTES = 4096

/** Asked only when a file is encrypted. It MUST NOT come from an argument list, which every user of a machine can read. */
export type AskPassphrase = () => Promise<string>

export type StoredKey =
  | { readonly kind: 'plain'; readonly seed: Uint8Array }
  | { readonly kind: 'encrypted'; readonly publicKey: Uint8Array; readonly sealed: SealedSeed }

export function formatKeyFile(seed: Uint8Array): string {
  return textOf({ ...HEADER, seed: encodeBase64(seed) })
}

export async function formatEncryptedKeyFile(seed: Uint8Array, passphrase: string): Promise<string> {
  const header = headerOf(publicKeyOfSeed(seed))
  return textOf({ ...header, encrypted: await sealSeed(seed, passphrase, header) })
}

/** @throws MoultError ERR_CONFIG_KEY, which never quotes what is in the file */
export async function readKeyFile(path: string, passphrase?: AskPassphrase): Promise<Signer> {
  return signerOfSeed(await unlockSeed(await readStoredKey(path), path, passphrase))
}

/** @throws MoultError ERR_CONFIG_KEY */
export async function readStoredKey(path: string): Promise<StoredKey> {
  const { text, mode } = await readKeyText(path)
  assertPrivate(path, mode)
  const stored = parseKeyFile(text)
  if (stored !== undefined) return stored
  throw new MoultError('ERR_CONFIG_KEY', `not a key file of format ${KEY_FORMAT}: ${path}`, {
    hint: 'Restore it from your backup; a damaged private key cannot be repaired.',
    details: { path },
  })
}

/** @throws MoultError ERR_CONFIG_KEY */
export async function unlockSeed(stored: StoredKey, path: string, passphrase?: AskPassphrase): Promise<Uint8Array> {
  if (stored.kind === 'plain') return stored.seed
  if (passphrase === undefined) {
    throw new MoultError('ERR_CONFIG_KEY', `encrypted, and no passphrase was given: ${path}`, {
      hint: 'Give it at a terminal, in MOULT_PASSPHRASE, or with --passphrase-file.',
      details: { path },
    })
  }
  const { sealed, publicKey } = stored
  const seed = await openSeed(sealed, await passphrase(), headerOf(publicKey))
  if (seed !== undefined && Buffer.from(publicKeyOfSeed(seed)).equals(publicKey)) return seed
  throw new MoultError('ERR_CONFIG_KEY', `the passphrase is wrong, or the key file was changed: ${path}`, {
    hint: 'Try again. If you are sure of the passphrase, restore the file from your backup.',
    details: { path },
  })
}

/** Undefined when it is no key file. */
export function parseKeyFile(text: string): StoredKey | undefined {
  const members = parseMembers(text)
  if (members === undefined) return undefined
  const { format, type, seed: seedText, public: publicText, encrypted, ...others } = members
  if (format !== KEY_FORMAT || type !== 'ed25519' || Object.keys(others).length > 0) return undefined
  const publicKey = typeof publicText === 'string' ? decodeBase64(publicText, PUBLIC_KEY_BYTES) : undefined
  if (encrypted === undefined) return plainKey(seedText, publicText, publicKey)
  const sealed = readSealedSeed(encrypted)
  if (sealed === undefined || publicKey === undefined || seedText !== undefined) return undefined
  return isStrong(publicKey) ? { kind: 'encrypted', publicKey, sealed } : undefined
}

/** A public half beside a seed in the clear is not ours; where somebody wrote one, it has to be the right one. */
function plainKey(seedText: unknown, publicText: unknown, publicKey: Uint8Array | undefined): StoredKey | undefined {
  const seed = typeof seedText === 'string' ? decodeBase64(seedText, SEED_BYTES) : undefined
  if (seed === undefined) return undefined
  if (publicText === undefined) return { kind: 'plain', seed }
  const isRight = publicKey !== undefined && Buffer.from(publicKeyOfSeed(seed)).equals(publicKey)
  return isRight ? { kind: 'plain', seed } : undefined
}

/** Whole text of a small file, and its mode. A larger file is read as empty: it is none of ours. */
export async function readKeyText(path: string): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    const file = await open(path, constants.O_RDONLY)
    try {
      const { mode, size } = await file.stat()
      return { text: size > KEY_FILE_MAX_BYTES ? '' : await file.readFile('utf8'), mode }
    } finally {
      await file.close()
    }
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new MoultError('ERR_CONFIG_KEY', `${missing ? 'no such key file' : 'the key file cannot be read'}: ${path}`, {
      hint: missing
        ? 'Restore it from your backup: agents accept no key that the root does not name, and a new one is none of them. Where it is lost for good, "When it happens" in SECURITY.md says what can be done. If it lies elsewhere, name it in `keys` of the configuration, or set MOULT_KEY.'
        : 'Check who owns it.',
      details: { path, ...(missing ? { missing } : {}) },
      cause,
    })
  }
}

export function assertPrivate(path: string, mode: number): void {
  // Windows has no such bits: there the profile folder's access list guards the file.
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  throw new MoultError('ERR_CONFIG_KEY', `others than its owner can read the key file: ${path}`, {
    hint: `Close it with \`chmod 600 ${shellWord(path)}\`, and replace the key if this machine has other users.`,
    details: { path, mode: (mode & 0o777).toString(8) },
  })
}

const HEADER = { format: KEY_FORMAT, type: 'ed25519' } as const

function headerOf(publicKey: Uint8Array): typeof HEADER & { public: string } {
  return { ...HEADER, public: encodeBase64(publicKey) }
}

function textOf(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`
}

function isStrong(publicKey: Uint8Array): boolean {
  try {
    assertStrongPublicKey(publicKey)
    return true
  } catch {
    return false
  }
}
