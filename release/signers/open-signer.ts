import { resolve } from 'node:path'

import type { Config, SignerConfig } from '../config.ts'
import type { Environment } from '../surroundings.ts'
import { KEY_VARIABLE, readEnvironmentKey } from './environment.ts'
import { readKeyFile } from './key-file.ts'
import type { Signer } from './signer.ts'

export const DEFAULT_KEY_FILE = 'keys/moult.key'

/**
 * The signer of one role: as configured, else the variable MOULT_KEY, else the key file that `moult init` makes.
 * @throws MoultError ERR_CONFIG_KEY
 */
export async function openSigner(configured: SignerConfig | undefined, dir: string, env: Environment): Promise<Signer> {
  if (typeof configured === 'object') return readEnvironmentKey(configured.env, env)
  if (configured === undefined && env[KEY_VARIABLE] !== undefined) return readEnvironmentKey(KEY_VARIABLE, env)
  return readKeyFile(resolve(dir, configured ?? DEFAULT_KEY_FILE))
}

/** The environment for programs that a release starts: builds run foreign code, which must not see a private key. */
export function withoutKeys(env: Environment, config: Pick<Config, 'keys'>): Environment {
  const secret = new Set([KEY_VARIABLE])
  for (const signer of [config.keys?.release, config.keys?.rollout])
    if (typeof signer === 'object') secret.add(signer.env)
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secret.has(name)))
}
