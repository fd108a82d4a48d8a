import type { Command } from 'commander'

import { askPassphrase, PASSPHRASE_OPTION } from '../passphrase.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { takeEnvironment } from '../take-environment.ts'

interface Options {
  passphraseFile?: string
  json?: boolean
}

export function registerKeysEncrypt(keys: Command): void {
  keys
    .command('encrypt')
    .description('protect a key file with a passphrase, in place')
    .argument('<file>', 'a key file without one')
    .option(...PASSPHRASE_OPTION)
    .option('--json', 'print one JSON object')
    .action((file: string, options: Options) => runCommand(options, (signal) => encrypt(file, options, signal)))
}

async function encrypt(file: string, options: Options, signal: AbortSignal): Promise<void> {
  const env = takeEnvironment()
  const { encryptKeyFile } = await import('../../release/index.ts')
  const result = await encryptKeyFile(file, () =>
    askPassphrase(file, { passphraseFile: options.passphraseFile, env, isNew: true, signal }),
  )
  console.error('note: backups of this disk, and its free blocks, may still hold the key as it was before.')
  printResult(options.json, { kind: 'encrypted', ...result }, [`Encrypted ${file}`, `Key id ${result.id}`])
}
