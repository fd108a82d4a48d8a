// A private key in a file: small JSON with the 32-byte seed. The public half is derived, never stored.

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

import { decodeBase64, encodeBase64, MoultError, SEED_BYTES } from '../../manifests/index.ts'
import { type Signer, signerOfSeed } from './signer.ts'

const KEY_FORMAT = 'moult-key/1'
const KEY_FILE_MAX_BYTES = 4096

export function formatKeyFile(seed: Uint8Array): string {
  return `${JSON.stringify({ format: KEY_FORMAT, type: 'ed25519', seed: encodeBase64(seed) }, null, 2)}\n`
}

/** @throws MoultError ERR_CONFIG_KEY, which never quotes what is in the file */
export async function readKeyFile(path: string): Promise<Signer> {
  const seed = parseKeyFile(await readPrivateText(path))
  if (seed === undefined) {
    throw new MoultError('ERR_CONFIG_KEY', `not a key file of format ${KEY_FORMAT}: ${path}`, {
      hint: 'Restore it from your backup; a damaged private key cannot be repaired.',
      details: { path },
    })
  }
  return signerOfSeed(seed)
}

async function readPrivateText(path: string): Promise<string> {
  try {
    const file = await open(path, constants.O_RDONLY)
    try {
      const { mode, size } = await file.stat()
      // Windows has no such bits: there the profile folder's access list guards the file.
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        throw new MoultError('ERR_CONFIG_KEY', `others than its owner can read the key file: ${path}`, {
          hint: `Close it with \`chmod 600 ${path}\`, and replace the key if this machine has other users.`,
          details: { path, mode: (mode & 0o777).toString(8) },
        })
      }
      return size > KEY_FILE_MAX_BYTES ? '' : await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (cause instanceof MoultError) throw cause
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new MoultError('ERR_CONFIG_KEY', `${missing ? 'no such key file' : 'the key file cannot be read'}: ${path}`, {
      hint: missing
        ? 'Name the key in `keys` of the configuration, set MOULT_KEY, or make one with `moult init`.'
        : 'Check who owns it.',
      details: { path },
      cause,
    })
  }
}

function parseKeyFile(text: string): Uint8Array | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's message would quote the file.
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { format, type, seed } = value as Record<string, unknown>
  if (format !== KEY_FORMAT || type !== 'ed25519' || typeof seed !== 'string') return undefined
  return decodeBase64(seed, SEED_BYTES)
}
