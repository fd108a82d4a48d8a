import type { Command } from 'commander'

import { describeRelease } from '../describe-release.ts'
import { askPassphrase, PASSPHRASE_OPTION } from '../passphrase.ts'
import { parsePercent } from '../parse-percent.ts'
import { printResult } from '../print-result.ts'
import { showProgress } from '../progress.ts'
import { runCommand } from '../run-command.ts'
import { takeEnvironment } from '../take-environment.ts'

interface Options {
  config?: string
  channel?: string
  percent?: string
  stages?: string
  expires?: string
  baseUrl?: string
  passphraseFile?: string
  plan?: boolean
  json?: boolean
}

export function registerRolloutSet(rollout: Command): void {
  rollout
    .command('set')
    .description('offer a released version; of the live one, change or renew the rollout')
    .argument('<version>', 'a version that was released before')
    .option('--channel <name>', 'default: of the configuration, or stable')
    .option('--percent <n>', 'share of the fleet, from now on')
    .option('--stages <list>', 'e.g. 0h:5%,24h:25%,48h:100%')
    .option('--expires <duration>', 'how long the rollout is good without a refresh, e.g. 90d')
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say what would be published; publishes nothing')
    .option('--json', 'print one JSON object')
    .action((version: string, options: Options) =>
      runCommand(options, (signal) => runRolloutSet(version, options, signal)),
    )
}

async function runRolloutSet(version: string, options: Options, signal: AbortSignal): Promise<void> {
  const { percent, passphraseFile, ...rest } = options
  const env = takeEnvironment()
  const { setRollout } = await import('../../release/index.ts')
  const progress = showProgress()
  try {
    const result = await setRollout(
      { ...rest, version: version.replace(/^v(?=\d)/, ''), percent: parsePercent(percent) },
      { on: progress.on, signal, env, passphrase: (path) => askPassphrase(path, { passphraseFile, env, signal }) },
    )
    progress.end()
    printResult(options.json, result, describeRelease(result))
  } finally {
    progress.end()
  }
}
