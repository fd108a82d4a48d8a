import type { Command } from 'commander'

import type { FleetFigures, JudgedRollout, Verdict } from '../../fleet/index.ts'
import { formatDate, parseDate } from '../../manifests/index.ts'
import type * as ReleaseSide from '../../release/index.ts'
import { describeRelease } from '../describe-release.ts'
import { PASSPHRASE_OPTION } from '../passphrase.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { addJudgeOptions, type JudgeOptions, termsOf } from './judge-options.ts'
import { withRelease } from './run-rollout.ts'

interface Options extends JudgeOptions {
  config?: string
  channel?: string
  baseUrl?: string
  passphraseFile?: string
  plan?: boolean
  json?: boolean
}

/** Of a rollout that is halted: the fleet's failure rate refuses the release. */
const EXIT_HALTED = 24

export function registerRolloutAdvance(rollout: Command): void {
  const command = rollout
    .command('advance')
    .description(`widen, hold or halt the rollout, by what access logs tell; exit status ${EXIT_HALTED} when halted`)
    .option('--channel <name>', 'default: of the configuration, or stable')
  addJudgeOptions(command)
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say what would be done; publishes nothing, and needs no key')
    .option('--json', 'print one JSON object')
    .action((options: Options) => runCommand(options, (signal) => advance(options, signal)))
}

async function advance(options: Options, signal: AbortSignal): Promise<number> {
  const { judge, JUDGE_TERMS } = await import('../../fleet/index.ts')
  return withRelease(options, signal, async (side, deps) => {
    const { config, channel } = options
    const status = await side.rolloutStatus({ config, channel }, deps)
    const figures = await readFigures(options, status, signal)
    const verdict = judge(figures, judgedOf(status), termsOf(options, JUDGE_TERMS), Date.now())
    const result = options.plan === true ? undefined : await carryOut(verdict, status, options, side, deps)
    printVerdict(verdict, status, result, options)
    return verdict.kind === 'halt' ? EXIT_HALTED : 0
  })
}

/** Of the time since the release was made: who was gone before has nothing to do with it. */
async function readFigures(
  options: Options,
  status: ReleaseSide.RolloutStatus,
  signal: AbortSignal,
): Promise<FleetFigures> {
  const { fleetFigures, readLogs } = await import('../../fleet/index.ts')
  const { name, channel, version: offered, released } = status
  const result = await readLogs(options.logs, { sinceMs: parseDate(released), signal })
  return fleetFigures(result, { name, channel, offered, silentAfterMs: options.silentAfter })
}

function judgedOf({ paused, refused, ...rest }: ReleaseSide.RolloutStatus): JudgedRollout {
  return { ...rest, isPaused: paused !== undefined, refused: refused?.message }
}

/** The logs took their time: nothing is done to another statement or release than the one that was judged. */
async function carryOut(
  verdict: Verdict,
  { version, sequence }: ReleaseSide.RolloutStatus,
  { config, channel, baseUrl }: Options,
  side: typeof ReleaseSide,
  deps: ReleaseSide.ReleaseDeps,
): Promise<ReleaseSide.ReleaseResult | undefined> {
  const place = { config, channel, baseUrl }
  switch (verdict.kind) {
    case 'widen':
      return side.setRollout({ ...place, version, percent: verdict.toPercent, ifSequence: sequence }, deps)
    case 'halt':
      return side.pauseRollout({ ...place, live: version }, deps)
    case 'hold':
    case 'complete':
      return undefined
  }
}

function printVerdict(
  verdict: Verdict,
  { name, version, channel }: ReleaseSide.RolloutStatus,
  result: ReleaseSide.ReleaseResult | undefined,
  { plan, json }: Options,
): void {
  const { kind, percent, reasons, evidence } = verdict
  const untilMs = verdict.kind === 'hold' ? verdict.untilMs : undefined
  const until = untilMs === undefined ? undefined : formatDate(Math.ceil(untilMs / 1000) * 1000)
  const toPercent = verdict.kind === 'widen' ? verdict.toPercent : undefined
  const done = {
    widen: `from ${percent} % to ${toPercent} %`,
    hold: `at ${percent} %`,
    halt: `at ${percent} %`,
    complete: `at ${percent} %`,
  }
  const words = { widen: 'Widen', hold: 'Hold', halt: 'Halt', complete: 'Complete:' }
  const isPlan = plan === true
  printResult(
    json,
    { verdict: kind, name, version, channel, percent, toPercent, until, reasons, evidence, plan: isPlan, result },
    [
      `${words[kind]} ${name} ${version} on ${channel} ${done[kind]}${isPlan ? ' (a plan: nothing was published)' : ''}`,
      ...reasons.map(({ code, text }) => `  ${code}: ${text}`),
      ...(until === undefined ? [] : [`Not before ${until}`]),
      ...(result === undefined ? [] : describeRelease(result)),
    ],
  )
}
