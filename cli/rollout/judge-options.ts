import { InvalidArgumentError, type Command } from 'commander'

import type { JudgeTerms } from '../../fleet/index.ts'
import { parseShare, parseSpan } from '../fleet/log-options.ts'

/** As commander gives them: parsed, and undefined where nothing was said. */
export interface JudgeOptions {
  logs: string[]
  maxFailureRate?: number
  minAgents?: number
  soak?: number
  steps?: number[]
  maxAge?: number
  minAdoption?: number
  silentAfter?: number
}

export function addJudgeOptions(command: Command): Command {
  const collect = (text: string, before: string[] = []): string[] => [...before, text]
  return command
    .requiredOption(
      '--logs <source>',
      'access logs: a file, folder, pattern, `-`, or s3://bucket/prefix; repeat for more',
      collect,
    )
    .option('--max-failure-rate <percent>', 'halt above; default: 5', parseRate)
    .option('--min-agents <n>', 'so many have to run it well before it widens; default: 20', parseAgents)
    .option('--soak <duration>', 'so long has each step to be seen in the logs; default: 24h', parseSpan)
    .option('--steps <list>', 'what it widens to, one after the other; default: 5%,25%,50%,100%', parseSteps)
    .option('--max-age <duration>', 'do not widen when the newest line of the logs is older; default: 6h', parseSpan)
    .option(
      '--min-adoption <percent>',
      'so many of the agents that a step should have reached must run it well; default: 50',
      parseShare,
    )
    .option('--silent-after <duration>', 'not seen for so long; default: 8h', parseSpan)
}

export function termsOf(options: JudgeOptions, usual: JudgeTerms): JudgeTerms {
  const { maxFailureRate, minAgents, soak, steps, maxAge, minAdoption } = options
  return {
    maxFailureRate: maxFailureRate ?? usual.maxFailureRate,
    minAgents: minAgents ?? usual.minAgents,
    soakMs: soak ?? usual.soakMs,
    steps: steps ?? usual.steps,
    maxLogAgeMs: maxAge ?? usual.maxLogAgeMs,
    minAdoption: minAdoption ?? usual.minAdoption,
  }
}

/** With 100 nothing could ever halt it. */
function parseRate(text: string): number {
  const rate = parseShare(text)
  if (rate < 1) return rate
  throw new InvalidArgumentError('expected a percentage below 100')
}

function parseAgents(text: string): number {
  const agents = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (agents > 0) return agents
  throw new InvalidArgumentError('expected a whole number of at least 1')
}

function parseSteps(text: string): number[] {
  const steps = text.split(',').map((part) => (/^\s*\d{1,3}%?\s*$/.test(part) ? Number.parseInt(part, 10) : Number.NaN))
  const isRising = steps.every((step, index) => step > (steps[index - 1] ?? 0) && step <= 100)
  if (isRising) return steps
  throw new InvalidArgumentError('expected rising percentages such as 5%,25%,50%,100%')
}
