import type { Command } from 'commander'

import { PASSPHRASE_OPTION } from './passphrase.ts'
import { plainVersion, printRollout, withRelease } from './rollout/run-rollout.ts'
import { addTermsOptions, termsFrom, type TermsOptions } from './rollout/terms-options.ts'
import { runCommand } from './run-command.ts'

interface Options extends TermsOptions {
  to: string
  config?: string
  baseUrl?: string
  passphraseFile?: string
  plan?: boolean
  json?: boolean
}

export function registerPromote(program: Command): void {
  const command = program
    .command('promote')
    .description('offer a released version on another channel: the same release, the same bytes')
    .argument('<version>', 'a version that was released before')
    .requiredOption('--to <channel>', 'the channel that gets it')
  addTermsOptions(command)
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say what would be published; publishes nothing')
    .option('--json', 'print one JSON object')
    .action((version: string, options: Options) =>
      runCommand(options, async (signal) => {
        const { to, config, baseUrl, plan, json } = options
        const given = { to, config, baseUrl, plan, version: plainVersion(version), ...termsFrom(options) }
        printRollout(await withRelease(options, signal, ({ promote }, deps) => promote(given, deps)), json)
      }),
    )
}
