// What a command line or a configuration says about a rollout, from text to terms.

import {
  type FlagDefinition,
  MoultError,
  parseDuration,
  ROLLOUT_LIFETIME_MAX_MS,
  shape,
} from '../../manifests/index.ts'
import type { Config } from '../config.ts'
import { parseStages, type StageOffset } from '../stages.ts'
import { parseFlags } from './flag-text.ts'
import type { RuleDraft } from './rule-draft.ts'
import { parseRule } from './rule-text.ts'
import { type MaxRate, parseRate } from './spread.ts'

/** A longer one is a slip of the unit: the last agents of the stage would wait beyond the life of the statement. */
const SPREAD_MAX_MS = 30 * 24 * 60 * 60 * 1000

export const DEFAULT_EXPIRES = '90d'
/** Agents keep a poll interval within these bounds, whatever is signed. */
const POLL_MIN_MS = 60_000
const POLL_MAX_MS = 24 * 60 * 60_000

/** What is left out comes from the configuration, or stays as it is live. */
export interface RolloutOptions {
  /** Share of the fleet, 0 to 100, from the start. */
  readonly percent?: number | undefined
  /** E.g. `0h:5%,24h:25%,48h:100%`. */
  readonly stages?: string | undefined
  /** How long the rollout statement is good, e.g. `90d`. */
  readonly expires?: string | undefined
  /** How long the agents of a stage are spread over, e.g. `30m`. */
  readonly spread?: string | undefined
  /** Instead of `spread`: at most so many downloads, e.g. `500/min`, by `fleetSize` agents. */
  readonly maxRate?: string | undefined
  readonly fleetSize?: number | undefined
  /** Poll interval for the fleet, e.g. `10m`. */
  readonly poll?: string | undefined
  /** Rules such as `label:ring=canary -> 100%`, all of them; none clears them. */
  readonly rules?: readonly string[] | undefined
  /** Flags such as `parser=new 50%`, all of them; none clears them. */
  readonly flags?: readonly string[] | undefined
}

/** Undefined: not given. */
export interface GivenTerms {
  readonly stages: readonly StageOffset[] | undefined
  readonly spread: string | undefined
  readonly maxRate: MaxRate | undefined
  readonly poll: string | undefined
  readonly rules: readonly RuleDraft[] | undefined
  readonly flags: Readonly<Record<string, FlagDefinition>> | undefined
}

export interface RolloutTerms {
  readonly asked: GivenTerms
  readonly configured: GivenTerms
  /** A duration such as `90d`. */
  readonly expires: string
}

/** @throws MoultError ERR_USAGE_INVALID or ERR_CONFIG_INVALID */
export function rolloutTermsOf(options: RolloutOptions, { rollout = {} }: Pick<Config, 'rollout'>): RolloutTerms {
  const fleetSize = options.fleetSize ?? rollout.fleetSize
  const asked = inUsage(() => givenTerms({ ...options, fleetSize }, nameOfOption))
  const configured = inConfig(() => givenTerms({ ...rollout, fleetSize }, (member) => `rollout.${member}`))
  const expires = options.expires ?? rollout.expires ?? DEFAULT_EXPIRES
  const lifetimeMs = parseDuration(expires) ?? 0
  if (lifetimeMs <= 0 || lifetimeMs > ROLLOUT_LIFETIME_MAX_MS)
    inUsage(() => mismatch('--expires', 'a duration such as 90d, of at most 400d', expires))
  return { asked, configured, expires }
}

/** The versions that the rules which are to count are pinned to. @param isSame of the live release: its rules stay */
export function pinsOf({ asked, configured }: RolloutTerms, isSame: boolean): string[] {
  const rules = asked.rules ?? (isSame ? undefined : configured.rules) ?? []
  return [...new Set(rules.flatMap(({ pin }) => (pin === undefined ? [] : [pin])))]
}

function givenTerms(given: Omit<RolloutOptions, 'expires'>, nameOf: (member: string) => string): GivenTerms {
  const { percent, stages, spread, maxRate, fleetSize, poll, rules, flags } = given
  if (spread !== undefined && !((parseDuration(spread) ?? Number.NaN) <= SPREAD_MAX_MS))
    mismatch(nameOf('spread'), 'a duration such as 30m, of at most 30d', spread)
  if (spread !== undefined && maxRate !== undefined)
    mismatch(nameOf('maxRate'), `no ${nameOf('spread')} beside it`, spread)
  const pollMs = poll === undefined ? POLL_MIN_MS : (parseDuration(poll) ?? 0)
  if (pollMs < POLL_MIN_MS || pollMs > POLL_MAX_MS) mismatch(nameOf('poll'), 'a duration from 1m to 24h', poll ?? '')
  return {
    stages: stagesOf(percent, stages, nameOf),
    spread,
    maxRate: maxRate === undefined ? undefined : maxRateOf(maxRate, fleetSize, nameOf),
    poll,
    rules: rules?.map((text) => parseRule(text, nameOf('rules'))),
    flags: flags === undefined ? undefined : parseFlags(flags, nameOf('flags')),
  }
}

function stagesOf(
  percent: number | undefined,
  text: string | undefined,
  nameOf: (member: string) => string,
): StageOffset[] | undefined {
  if (percent !== undefined && text !== undefined)
    mismatch(nameOf('percent'), `no ${nameOf('stages')} beside it`, nameOf('stages'))
  if (percent !== undefined && !(Number.isInteger(percent) && percent >= 0 && percent <= 100))
    mismatch(nameOf('percent'), 'a whole number from 0 to 100', String(percent))
  if (text === undefined) return percent === undefined ? undefined : [{ afterMs: 0, percent }]
  return parseStages(text) ?? mismatch(nameOf('stages'), 'later and larger stages such as 0h:5%,24h:25%,48h:100%', text)
}

function maxRateOf(text: string, fleetSize: number | undefined, nameOf: (member: string) => string): MaxRate {
  const perMinute = parseRate(text) ?? mismatch(nameOf('maxRate'), 'downloads in a time, such as 500/min', text)
  if (fleetSize === undefined)
    return mismatch(nameOf('maxRate'), `${nameOf('fleetSize')} beside it, the number of agents`, 'none')
  if (!(Number.isSafeInteger(fleetSize) && fleetSize > 0))
    mismatch(nameOf('fleetSize'), 'a whole number of agents', String(fleetSize))
  return { perMinute, fleetSize }
}

/** The option that gives one of several is in the singular. */
function nameOfOption(member: string): string {
  const name = member.replace(/(?<=^rule|^flag)s$/, '')
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function mismatch(path: string, expected: string, got: string): never {
  throw new shape.ShapeMismatch(path, expected, got)
}

function inUsage<T>(read: () => T): T {
  return withCode('ERR_USAGE_INVALID', read)
}

function inConfig<T>(read: () => T): T {
  return withCode('ERR_CONFIG_INVALID', read)
}

function withCode<T>(code: 'ERR_USAGE_INVALID' | 'ERR_CONFIG_INVALID', read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof shape.ShapeMismatch)) throw error
    const { message, nearest, details } = error
    throw new MoultError(code, message, {
      ...(nearest === undefined ? {} : { hint: `Did you mean "${nearest}"?` }),
      details,
      cause: error,
    })
  }
}
