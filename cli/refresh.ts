import type { Command } from 'commander'

import type { RefreshedChannel } from '../release/index.ts'
import { PASSPHRASE_OPTION } from './passphrase.ts'
import { printResult } from './print-result.ts'
import { reportError } from './report-error.ts'
import { withRelease } from './rollout/run-rollout.ts'
import { runCommand } from './run-command.ts'

interface Options {
  channel?: string
  allChannels?: boolean
  force?: boolean
  check?: boolean
  baseUrl?: string
  config?: string
  passphraseFile?: string
  plan?: boolean
  json?: boolean
}

export function registerRefresh(program: Command): void {
  program
    .command('refresh')
    .description('renew a rollout before it expires: for a job that runs every day')
    .option('--channel <name>', 'default: of the configuration, or stable')
    .option('--all-channels', 'every channel that has a manifest')
    .option('--force', 'renew it also while half of its life is left')
    .option('--check', 'only look, without a key: fails when less than a quarter of its life is left')
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say what would be published; publishes nothing')
    .option('--json', 'print one JSON object')
    .action((options: Options) => runCommand(options, (signal) => runRefresh(options, signal)))
}

async function runRefresh({ passphraseFile, json = false, ...options }: Options, signal: AbortSignal): Promise<number> {
  const source = passphraseFile === undefined ? {} : { passphraseFile }
  const result = await withRelease(source, signal, ({ refresh }, deps) => refresh(options, deps))
  const { channels } = result
  for (const { warnings = [] } of channels) for (const { text } of warnings) console.error(`warning: ${text}`)
  const failed = channels.flatMap(({ error }) => (error === undefined ? [] : [error]))
  if (json) console.log(JSON.stringify(result))
  else {
    const lines = channels.filter(({ kind }) => kind !== 'failed').map(lineOf)
    if (lines.length > 0) printResult(false, result, lines)
    for (const error of failed) reportError(error, false)
  }
  return failed[0]?.exitCode ?? 0
}

function lineOf({ channel, kind, version = '', sequence, expires }: RefreshedChannel): string {
  const until = `sequence ${sequence}, good until ${expires}`
  switch (kind) {
    case 'renewed':
      return `Renewed ${version} on ${channel}: ${until}`
    case 'planned':
      return `Plan for ${version} on ${channel}: ${until}; nothing was published`
    case 'checked':
      return `Checked ${version} on ${channel}: ${until}`
    case 'unchanged':
    case 'failed':
      return `Left as it is: ${version} on ${channel}, at least half of its life is left`
  }
}
