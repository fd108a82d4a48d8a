import { decodeBase64, SEED_BYTES } from '../manifests/index.ts'

export const PASSPHRASE_VARIABLE = 'MOULT_PASSPHRASE'

/**
 * A copy of the environment for the release, after which this process's own has no private key or passphrase: bundlers and other
 * helpers are started with what is left. A seed is known by its form, because the configuration may name any variable.
 */
export function takeEnvironment(): NodeJS.ProcessEnv {
  const copy = { ...process.env }
  for (const [name, value] of Object.entries(copy)) {
    if (value !== undefined && decodeBase64(value.trim(), SEED_BYTES) !== undefined) delete process.env[name]
  }
  delete process.env[PASSPHRASE_VARIABLE]
  return copy
}
