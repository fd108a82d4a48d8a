import type { Command } from 'commander'

import { askPassphrase, PASSPHRASE_OPTION } from '../passphrase.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { takeEnvironment } from '../take-environment.ts'

interface Options {
  encrypt?: boolean
  passphraseFile?: string
  json?: boolean
}

export function registerKeysNew(keys: Command): void {
  keys
    .command('new')
    .description('make a private key; overwrites nothing')
    .argument('<file>', 'where to; only its owner can read it')
    .option('--encrypt', 'protect it with a passphrase')
    .option(...PASSPHRASE_OPTION)
    .option('--json', 'print one JSON object')
    .action((file: string, options: Options) => runCommand(options, (signal) => makeKey(file, options, signal)))
}

async function makeKey(file: string, options: Options, signal: AbortSignal): Promise<void> {
  const env = takeEnvironment()
  const { makeKeyFile, shellWord } = await import('../../release/index.ts')
  const isEncrypted = options.encrypt === true || options.passphraseFile !== undefined
  const ask = (): Promise<string> =>
    askPassphrase(file, { passphraseFile: options.passphraseFile, env, isNew: true, signal })
  const result = await makeKeyFile(file, isEncrypted ? ask : undefined)
  if (!isEncrypted)
    console.error(`note: ${file} is not encrypted; \`moult keys encrypt ${shellWord(file)}\` does that.`)
  printResult(options.json, { kind: 'made', ...result }, [
    `Made ${file}`,
    `Public key ${result.public}`,
    `Key id ${result.id}`,
  ])
}
