// New keys, and a passphrase for a key that has none.

import { randomBytes } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'

import { MoultError, SEED_BYTES } from '../../manifests/index.ts'
import { shellWord } from '../shell-word.ts'
import { publicKeyOfSeed } from './ed25519-seed.ts'
import { PASSPHRASE_MIN_CHARS } from './key-encryption.ts'
import { type AskPassphrase, formatEncryptedKeyFile, formatKeyFile, readKeyFile, readStoredKey } from './key-file.ts'
import { createPrivateFile, replacePrivateFile } from './private-files.ts'
import { type PublicKeyDocument, publicKeyDocument } from './public-key.ts'

export interface KeyResult extends PublicKeyDocument {
  readonly path: string
  readonly encrypted: boolean
}

/**
 * Makes a key file with mode 0600. Its private half is never anywhere else.
 * @param passphrase encrypts the file
 * @throws MoultError ERR_USAGE_EXISTS, ERR_USAGE_INVALID or ERR_CONFIG_KEY
 */
export async function makeKeyFile(path: string, passphrase?: AskPassphrase): Promise<KeyResult> {
  const seed = new Uint8Array(randomBytes(SEED_BYTES))
  const text =
    passphrase === undefined
      ? formatKeyFile(seed)
      : await formatEncryptedKeyFile(seed, assertPassphrase(await passphrase()))
  await createPrivateFile(path, text)
  return { path, encrypted: passphrase !== undefined, ...publicKeyDocument(publicKeyOfSeed(seed)) }
}

/**
 * Encrypts a key file in place. The new file is read back and opened before it takes the place of the old one.
 * @throws MoultError ERR_CONFIG_KEY or ERR_USAGE_INVALID
 */
export async function encryptKeyFile(path: string, passphrase: AskPassphrase): Promise<KeyResult> {
  const stored = await readStoredKey(path)
  if (stored.kind === 'encrypted') {
    throw new MoultError('ERR_CONFIG_KEY', `encrypted already: ${path}`, { details: { path } })
  }
  // Through a symbolic link the file that holds the seed MUST be replaced, and not the link to it.
  const target = await realpath(path)
  await assertOnlyName(target)
  const secret = assertPassphrase(await passphrase())
  const publicKey = publicKeyOfSeed(stored.seed)
  await replacePrivateFile(target, await formatEncryptedKeyFile(stored.seed, secret), async (written) => {
    await readKeyFile(written, () => Promise.resolve(secret))
  })
  return { path, encrypted: true, ...publicKeyDocument(publicKey) }
}

/** Under a second name the seed would stay in the clear, and its owner would believe otherwise. */
async function assertOnlyName(path: string): Promise<void> {
  const { nlink } = await stat(path)
  if (nlink <= 1) return
  throw new MoultError('ERR_CONFIG_KEY', `has ${nlink} names, and the others would stay in the clear: ${path}`, {
    hint: `Remove them (\`find / -samefile ${shellWord(path)}\` lists them).`,
    details: { path, names: nlink },
  })
}

function assertPassphrase(text: string): string {
  if (Array.from(text).length >= PASSPHRASE_MIN_CHARS) return text
  throw new MoultError('ERR_CONFIG_KEY', `a passphrase of less than ${PASSPHRASE_MIN_CHARS} characters`, {
    hint: 'Take five or six words that nobody else would put together.',
  })
}
