import type { Command } from 'commander'

import { PASSPHRASE_OPTION } from '../passphrase.ts'
import { runCommand } from '../run-command.ts'
import { printRollout, withRelease } from './run-rollout.ts'

interface Options {
  config?: string
  channel?: string
  baseUrl?: string
  keepDates?: boolean
  passphraseFile?: string
  plan?: boolean
  json?: boolean
}

export function registerRolloutPause(rollout: Command): void {
  const pause = rollout.command('pause').description('nobody else installs the live release; who has it keeps it')
  addCommonOptions(pause).action((options: Options) =>
    runCommand(options, async (signal) => {
      printRollout(
        await withRelease(options, signal, (side, deps) => side.pauseRollout(given(options), deps)),
        options.json,
      )
    }),
  )
}

export function registerRolloutResume(rollout: Command): void {
  const resume = rollout
    .command('resume')
    .description('the live release goes on; later stages come as much later as the pause has lasted')
    .option('--keep-dates', 'stages keep their dates, and what should have begun begins at once')
  addCommonOptions(resume).action((options: Options) =>
    runCommand(options, async (signal) => {
      const { keepDates } = options
      const result = await withRelease(options, signal, (side, deps) =>
        side.resumeRollout({ ...given(options), keepDates }, deps),
      )
      printRollout(result, options.json)
    }),
  )
}

function addCommonOptions(command: Command): Command {
  return command
    .option('--channel <name>', 'default: of the configuration, or stable')
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say what would be published; publishes nothing')
    .option('--json', 'print one JSON object')
}

function given({ config, channel, baseUrl, plan }: Options) {
  return { config, channel, baseUrl, plan }
}
