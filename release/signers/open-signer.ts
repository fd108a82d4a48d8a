import { resolve } from 'node:path'

import type { Config } from '../config.ts'
import type { Environment, Surroundings } from '../surroundings.ts'
import { openCommandSigner } from './command.ts'
import { KEY_VARIABLE, readEnvironmentKey } from './environment.ts'
import { readKeyFile } from './key-file.ts'
import type { Signer } from './signer.ts'
import type { SignerConfig } from './signer-config.ts'

export const DEFAULT_KEY_FILE = 'keys/moult.key'
/** The passphrase of encrypted key files, where nobody is there to be asked. */
export const PASSPHRASE_VARIABLE = 'MOULT_PASSPHRASE'

/**
 * One signer: as configured, else the variable MOULT_KEY, else the key file that `moult init` makes.
 * @param programEnv what a command that signs gets to see
 * @throws MoultError ERR_CONFIG_KEY
 */
export async function openSigner(
  configured: SignerConfig | undefined,
  dir: string,
  around: Pick<Surroundings, 'env' | 'signal' | 'passphrase'>,
  programEnv: Environment = withoutKeys(around.env, {}),
): Promise<Signer> {
  const { env, signal } = around
  if (typeof configured === 'object') {
    if ('env' in configured) return readEnvironmentKey(configured.env, env)
    return openCommandSigner(configured, { dir, env: programEnv, signal })
  }
  if (configured === undefined && env[KEY_VARIABLE] !== undefined) return readEnvironmentKey(KEY_VARIABLE, env)
  const path = resolve(dir, configured ?? DEFAULT_KEY_FILE)
  return readKeyFile(path, passphraseOf(path, around))
}

function passphraseOf(
  path: string,
  { env, passphrase }: Pick<Surroundings, 'env' | 'passphrase'>,
): (() => Promise<string>) | undefined {
  if (passphrase !== undefined) return () => passphrase(path)
  const text = env[PASSPHRASE_VARIABLE]
  return text === undefined ? undefined : () => Promise.resolve(text)
}

/** The environment for programs that a release starts: builds run foreign code, which must not see a private key. */
export function withoutKeys(env: Environment, config: Pick<Config, 'keys'>): Environment {
  const secret = new Set([KEY_VARIABLE, PASSPHRASE_VARIABLE])
  for (const signer of [...(config.keys?.release ?? []), ...(config.keys?.rollout ?? [])])
    if (typeof signer === 'object' && 'env' in signer) secret.add(signer.env)
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secret.has(name)))
}
