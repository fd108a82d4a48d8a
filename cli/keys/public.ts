import type { Command } from 'commander'

import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'

interface Options {
  out?: string
  json?: boolean
}

export function registerKeysPublic(keys: Command): void {
  keys
    .command('public')
    .description('the public half of a key; needs no passphrase')
    .argument('<key>', 'a private or public key file, or base64')
    .option('--out <file>', 'write a public key file; overwrites nothing')
    .option('--json', 'print the public key file')
    .action((key: string, options: Options) => runCommand(options, () => showPublic(key, options)))
}

async function showPublic(key: string, options: Options): Promise<void> {
  const { createPublicFile, formatPublicKey, publicKeyDocument, readPublicKey } = await import('../../release/index.ts')
  const publicKey = await readPublicKey(key)
  if (options.out !== undefined) await createPublicFile(options.out, formatPublicKey(publicKey))
  const document = publicKeyDocument(publicKey)
  // The bare key on stdout, for `keys.public` and for scripts; the id is for eyes.
  if (options.json !== true) console.error(`Key id ${document.id}`)
  printResult(options.json, document, [document.public])
}
