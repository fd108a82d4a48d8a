import type { Command } from 'commander'

import { PASSPHRASE_OPTION } from '../passphrase.ts'
import { runCommand } from '../run-command.ts'
import { plainVersion, printRollout, withRelease } from './run-rollout.ts'
import { addTermsOptions, termsFrom, type TermsOptions } from './terms-options.ts'

interface Options extends TermsOptions {
  config?: string
  channel?: string
  baseUrl?: string
  passphraseFile?: string
  plan?: boolean
  json?: boolean
}

export function registerRolloutSet(rollout: Command): void {
  const command = rollout
    .command('set')
    .description('offer a released version; of the live one, change or renew the rollout')
    .argument('[version]', 'a version that was released before; default: the live one')
    .option('--channel <name>', 'default: of the configuration, or stable')
  addTermsOptions(command)
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say what would be published; publishes nothing')
    .option('--json', 'print one JSON object')
    .action((version: string | undefined, options: Options) =>
      runCommand(options, async (signal) => {
        const { config, channel, baseUrl, plan, json } = options
        const given = {
          config,
          channel,
          baseUrl,
          plan,
          version: version && plainVersion(version),
          ...termsFrom(options),
        }
        printRollout(await withRelease(options, signal, ({ setRollout }, deps) => setRollout(given, deps)), json)
      }),
    )
}
