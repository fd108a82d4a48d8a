// Where a passphrase comes from: a file, a variable, or a person at a terminal. Never from an argument, which every user
// of the machine can read.

import { readFile } from 'node:fs/promises'

import { MoultError } from '../manifests/errors.ts'
import { PASSPHRASE_VARIABLE } from './take-environment.ts'
import { promptSecret } from './prompt-secret.ts'

export const PASSPHRASE_OPTION = [
  '--passphrase-file <file>',
  'passphrase of encrypted key files: the first line',
] as const

export interface PassphraseSource {
  readonly passphraseFile?: string | undefined
  readonly env: NodeJS.ProcessEnv
  /** A new passphrase is asked for twice. */
  readonly isNew?: boolean
  readonly signal: AbortSignal
}

/** @throws MoultError ERR_CONFIG_KEY or ERR_CONFIG_MISSING */
export async function askPassphrase(path: string, source: PassphraseSource): Promise<string> {
  const { passphraseFile, env, isNew = false, signal } = source
  if (passphraseFile !== undefined) return readFirstLine(passphraseFile)
  const given = env[PASSPHRASE_VARIABLE]
  if (given !== undefined) return given
  const typed = await promptSecret(`Passphrase for ${path}: `, signal)
  if (typed === undefined) {
    throw new MoultError('ERR_CONFIG_KEY', `a passphrase is needed, and there is no terminal to ask at: ${path}`, {
      hint: `Set ${PASSPHRASE_VARIABLE}, or name a file with --passphrase-file.`,
      details: { path },
    })
  }
  if (isNew && (await promptSecret('The same again: ', signal)) !== typed) {
    throw new MoultError('ERR_CONFIG_KEY', `two different passphrases were typed: ${path}`, {
      hint: 'Nothing was changed. Try again.',
      details: { path },
    })
  }
  return typed
}

async function readFirstLine(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/, 1)[0] ?? ''
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_MISSING', `the passphrase file cannot be read: ${file}`, {
      details: { file },
      cause,
    })
  }
}
