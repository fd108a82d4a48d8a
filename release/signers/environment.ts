import { decodeBase64, MoultError, SEED_BYTES } from '../../manifests/index.ts'
import type { Environment } from '../surroundings.ts'
import { type Signer, signerOfSeed } from './signer.ts'

/** The variable that is looked at when the configuration names no key. */
export const KEY_VARIABLE = 'MOULT_KEY'

/** A signer from a variable that holds a 32-byte seed in base64. @throws MoultError ERR_CONFIG_KEY */
export function readEnvironmentKey(name: string, env: Environment): Signer {
  const text = env[name]?.trim() ?? ''
  const seed = decodeBase64(text, SEED_BYTES)
  if (seed === undefined) {
    throw new MoultError(
      'ERR_CONFIG_KEY',
      `${text === '' ? 'not set' : 'not a seed of 32 bytes in base64'}: the variable ${name}`,
      {
        hint: `Set ${name} to the value of "seed" in a key file.`,
        details: { variable: name, ...(text === '' ? { missing: true } : {}) },
      },
    )
  }
  return signerOfSeed(seed)
}
