import type { Command } from 'commander'

import type { RolloutStatus } from '../../release/index.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { withRelease } from './run-rollout.ts'

interface Options {
  config?: string
  channel?: string
  json?: boolean
}

export function registerRolloutStatus(rollout: Command): void {
  rollout
    .command('status')
    .description('what is offered, to whom and until when; needs no key')
    .option('--channel <name>', 'default: of the configuration, or stable')
    .option('--config <file>', 'default: moult.config.json')
    .option('--json', 'print one JSON object')
    .action((options: Options) =>
      runCommand(options, async (signal) => {
        const { config, channel, json } = options
        const status = await withRelease({}, signal, ({ rolloutStatus }, deps) =>
          rolloutStatus({ config, channel }, deps),
        )
        printResult(json, status, statusLines(status))
        return status.refused?.exitCode ?? 0
      }),
    )
}

const MARKS = { past: ' ', present: '>', 'to come': ' ' } as const

function statusLines(status: RolloutStatus): string[] {
  const { name, version, channel, target, sequence, issued, expires, leftPercent, stages, refused } = status
  const { spread, paused, fallback, rollback, rules, flags, poll } = status
  const since = paused?.since === undefined ? '' : ` since ${paused.since}`
  return [
    `${name} ${version} on ${channel} in ${target}`,
    ...(refused === undefined ? [] : [`REFUSED by agents: ${refused.message} (${refused.code})`]),
    `Sequence ${sequence} of ${issued}, good until ${expires} (${leftPercent} % of its life left)`,
    ...(paused === undefined ? [] : [`PAUSED${since}: nobody installs it`]),
    ...stages.map(({ at, percent, state }) => `  ${MARKS[state]} ${`${percent}`.padStart(3)} % from ${at}`),
    ...(spread === undefined ? [] : [`Each stage is spread over ${spread}`]),
    ...(rollback === undefined ? [] : [`These go back to it: ${rollback.join(', ')}`]),
    ...(fallback === undefined ? [] : [`Held-back agents are offered ${fallback.version}`]),
    ...rules.map(({ words }) => `Rule: ${words}`),
    ...flags.map((flag) => `Flag: ${flag}`),
    ...(poll === undefined ? [] : [`Agents poll every ${poll}`]),
  ]
}
