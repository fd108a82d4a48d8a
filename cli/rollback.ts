import type { Command } from 'commander'

import type { ReleaseResult, RollbackOptions } from '../release/index.ts'
import { assertAnswerable, confirm } from './confirm.ts'
import { describeRelease } from './describe-release.ts'
import { PASSPHRASE_OPTION } from './passphrase.ts'
import { plainVersion, printRollout, withRelease } from './rollout/run-rollout.ts'
import { runCommand } from './run-command.ts'

interface Options {
  from?: string[]
  channel?: string
  expires?: string
  baseUrl?: string
  config?: string
  passphraseFile?: string
  plan?: boolean
  yes?: boolean
  json?: boolean
}

type Run = (more: Partial<RollbackOptions>) => Promise<ReleaseResult>

const OTHERWISE = 'nothing was published'

export function registerRollback(program: Command): void {
  program
    .command('rollback')
    .description('send a channel back to an older version: all agents that run a newer one, at once')
    .argument('<version>', 'the older version, as it was published')
    .option(
      '--from <version>',
      'a version that agents leave for it; repeat for each; default: all newer ones up to the live',
      (text: string, before: string[] = []) => [...before, plainVersion(text)],
    )
    .option('--channel <name>', 'default: of the configuration, or stable')
    .option('--expires <duration>', 'how long the rollout is good without a refresh, e.g. 90d')
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say which versions would go back; publishes nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action((version: string, options: Options) =>
      runCommand(options, (signal) => runRollback(plainVersion(version), options, signal)),
    )
}

async function runRollback(version: string, options: Options, signal: AbortSignal): Promise<void> {
  const { from, channel, expires, baseUrl, config, plan, yes, json } = options
  if (plan !== true) assertAnswerable(yes, OTHERWISE)
  const result = await withRelease(options, signal, ({ rollback }, deps) => {
    const run: Run = (more) => rollback({ version, from, channel, expires, baseUrl, config, plan, ...more }, deps)
    return plan === true || yes === true ? run({}) : askAndRun(run, signal)
  })
  printRollout(result, json)
}

/** The lock is not held while a person thinks: what happens is what was shown, or nothing. */
async function askAndRun(run: Run, signal: AbortSignal): Promise<ReleaseResult> {
  const planned = await run({ plan: true })
  for (const line of describeRelease(planned)) console.error(line)
  const leaving = planned.rollout?.rollback ?? []
  const text = `Send ${planned.channel} back to ${planned.version} from ${leaving.join(', ')}?`
  await confirm({ text, otherwise: OTHERWISE }, undefined, signal)
  return run({ from: leaving, live: leaving[0] })
}
