import type { Command } from 'commander'

import { MoultError } from '../../manifests/errors.ts'
import type { RolloutOptions } from '../../release/index.ts'
import { parsePercent } from '../parse-percent.ts'

/** As the command line gives them. */
export interface TermsOptions {
  percent?: string
  stages?: string
  expires?: string
  spread?: string
  maxRate?: string
  fleetSize?: string
  poll?: string
  rule?: string[]
  rules?: boolean
  flag?: string[]
  flags?: boolean
}

/** The options that say who gets a release, and when: the same for all commands that do. */
export function addTermsOptions(command: Command): Command {
  const collect = (text: string, before: string[] = []): string[] => [...before, text]
  return command
    .option('--percent <n>', 'share of the fleet, from now on')
    .option('--stages <list>', 'e.g. 0h:5%,24h:25%,48h:100%')
    .option('--expires <duration>', 'how long the rollout is good without a refresh, e.g. 90d')
    .option('--spread <duration>', 'spread the agents of each stage over this time, e.g. 30m')
    .option('--max-rate <rate>', 'instead of --spread: at most so many downloads, e.g. 500/min')
    .option('--fleet-size <n>', 'for --max-rate: how many agents the channel has')
    .option('--poll <duration>', 'poll interval for agents whose owners have laid down none, e.g. 10m')
    .option('--rule <rule>', "what some agents get instead, e.g. 'label:ring=canary -> 100%'; repeat for all", collect)
    .option('--no-rules', 'take all rules off')
    .option('--flag <flag>', "a feature flag, e.g. 'parser=new 50%, old 50%'; repeat for all", collect)
    .option('--no-flags', 'take all flags off')
}

/** @throws MoultError ERR_USAGE_INVALID */
export function termsFrom(options: TermsOptions): RolloutOptions {
  const { percent, stages, expires, spread, maxRate, fleetSize, poll, rule, rules, flag, flags } = options
  return {
    percent: parsePercent(percent),
    stages,
    expires,
    spread,
    maxRate,
    fleetSize: fleetSize === undefined ? undefined : Number(fleetSize || Number.NaN),
    poll,
    rules: listOf('rule', rule, rules),
    flags: listOf('flag', flag, flags),
  }
}

function listOf(name: string, given: readonly string[] | undefined, isKept: boolean | undefined) {
  if (isKept !== false) return given
  if (given === undefined) return []
  throw new MoultError('ERR_USAGE_INVALID', `--${name}: expected no --no-${name}s beside it, got both`)
}
