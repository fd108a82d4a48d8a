// The rollout statement that a command means, before it is signed: a pure function, so that `preview` can show what a
// change would do.

import {
  canonicalJson,
  formatDate,
  type JsonObject,
  MoultError,
  parseDuration,
  type Rollout,
  ROLLOUT_FORMAT,
  type Stage,
} from '../../manifests/index.ts'
import { baseFrom } from '../layout.ts'
import { datedStages } from '../stages.ts'
import { fallbackBefore } from './fallback.ts'
import type { RolloutTerms } from './rollout-terms.ts'
import { type References, ruleOf } from './rule-draft.ts'
import { beginRulesAt, delayByPause } from './shift-stages.ts'
import { spreadFor, spreadMember } from './spread.ts'

/** What a channel offers at present. */
export interface LiveRollout {
  readonly version: string
  /** Digest of the release. */
  readonly release: string
  /** The statement with all its members, also those that this code does not know. */
  readonly rollout: Rollout & JsonObject
}

/** What a statement is about, besides what is asked for. */
export interface RolloutContext {
  readonly name: string
  readonly channel: string
  readonly version: string
  /** Digest of the release. */
  readonly release: string
  readonly sequence: number
  /** SHA-256 of the manifest file before. */
  readonly previous?: string | undefined
  readonly live?: LiveRollout | undefined
  /** Of all versions that rules are pinned to, and of the fallback if agents can have it. */
  readonly references: References
  /** Milliseconds since 1970. */
  readonly now: number
}

/** The members of a rollout that a person has a say in, and those that are unknown here. */
export type RolloutMembers = Pick<
  Rollout,
  'stages' | 'spread' | 'paused' | 'paused_since' | 'rules' | 'flags' | 'fallback' | 'poll' | 'rollback'
>

/**
 * Of the release that is live already, all stays that is not asked for. For another one, options count before the
 * configuration, and that before what the live rollout has: rules, flags, spread and poll interval go over to it.
 * @returns the statement without signatures
 * @throws MoultError ERR_POLICY_REFUSED
 */
export function composeRollout(terms: RolloutTerms, context: RolloutContext): JsonObject {
  const isSame = context.live !== undefined && context.live.release === context.release
  const members = isSame ? changedMembers(terms, context) : offeredMembers(terms, context)
  assertNoLoop(members)
  return stampRollout(withoutEmpty(members), terms.expires, context)
}

/**
 * An older release for all at once, and the versions that have to go back to it. Nothing is offered instead of it; rules,
 * flags and the rest go over as to any other release.
 * @throws MoultError ERR_POLICY_REFUSED
 */
export function composeRollback(leaving: readonly string[], expires: string, context: RolloutContext): JsonObject {
  const { fallback: _fallback, ...members } = offeredMembers(NOTHING_ASKED, context)
  assertNoLoop({ ...members, rollback: [...leaving] })
  return stampRollout({ ...members, rollback: [...leaving] }, expires, context)
}

/** The members with what makes them the next statement of a channel. @param expires a duration such as `90d` */
export function stampRollout(members: RolloutMembers, expires: string, context: RolloutContext): JsonObject {
  const { name, channel, release, sequence, previous, now } = context
  const { base: _base, previous: _previous, signatures: _signatures, ...rest } = members as JsonObject
  const base = baseFrom(channel)
  const head = {
    format: ROLLOUT_FORMAT,
    name,
    channel,
    release,
    sequence,
    issued: formatDate(now),
    expires: formatDate(now + (parseDuration(expires) ?? 0)),
  }
  return {
    // People read these first.
    ...head,
    ...rest,
    ...head,
    ...(base === undefined ? {} : { base }),
    ...(previous === undefined ? {} : { previous }),
  }
}

const NOTHING = {
  stages: undefined,
  spread: undefined,
  maxRate: undefined,
  poll: undefined,
  rules: undefined,
  flags: undefined,
}
const NOTHING_ASKED = { asked: NOTHING, configured: NOTHING }

/** Members that are undefined would be no JSON. */
type Defined<T> = { readonly [K in keyof T]?: NonNullable<T[K]> }

function changedMembers({ asked, configured }: RolloutTerms, context: RolloutContext): RolloutMembers {
  const { live, now, references } = context
  if (live === undefined) throw new MoultError('ERR_BUG', 'no live rollout to change')
  const isRestaged = asked.stages !== undefined || asked.rules !== undefined
  const before = isRestaged ? withPauseFrom(live.rollout, now) : live.rollout
  const { spread, ...kept } = before
  const stages = asked.stages === undefined ? before.stages : datedStages(asked.stages, now)
  const rate = asked.maxRate ?? (asked.stages === undefined ? undefined : configured.maxRate)
  return {
    ...kept,
    stages,
    ...spreadMember(asked.spread ?? (rate === undefined ? spread : spreadFor(stages, rate))),
    ...present({
      poll: asked.poll,
      rules: asked.rules?.map((draft) => ruleOf(draft, references, now)),
      flags: asked.flags,
    }),
  }
}

/** The pause goes on, and counts from now: what is stated now was not delayed by what lies behind. */
function withPauseFrom(rollout: LiveRollout['rollout'], now: number): LiveRollout['rollout'] {
  if (rollout.paused_since === undefined) return rollout
  return { ...delayByPause(rollout, now), paused_since: formatDate(now) }
}

function offeredMembers({ asked, configured }: Omit<RolloutTerms, 'expires'>, context: RolloutContext): RolloutMembers {
  const { live, now, references } = context
  const before = live?.rollout
  const stages = datedStages(asked.stages ?? configured.stages ?? [{ afterMs: 0, percent: 100 }], now)
  const drafts = asked.rules ?? configured.rules
  const rules =
    drafts === undefined
      ? before?.rules && beginRulesAt(before.rules, now)
      : drafts.map((draft) => ruleOf(draft, references, now))
  if (asked.rules === undefined) assertNoneReleased(before?.rules ?? [], rules ?? [])
  const fallback = fallbackBefore(live, context.version, now)
  const reference = fallback && references.get(fallback.version)
  // Agents that have missed the way back still run what is known to be bad: until they may have this release, the fallback.
  const leaving = (before?.rollback ?? []).filter((version) => version !== context.version)
  return {
    stages,
    ...spreadMember(spreadOf([asked, configured], stages) ?? before?.spread),
    ...present({
      poll: asked.poll ?? configured.poll ?? before?.poll,
      rules,
      flags: asked.flags ?? configured.flags ?? before?.flags,
      fallback: reference?.release === fallback?.release ? reference : undefined,
      rollback: leaving.length === 0 ? undefined : leaving,
    }),
  }
}

function spreadOf(givers: readonly Pick<RolloutTerms['asked'], 'spread' | 'maxRate'>[], stages: readonly Stage[]) {
  for (const { spread, maxRate } of givers) {
    if (spread !== undefined) return spread
    if (maxRate !== undefined) return spreadFor(stages, maxRate)
  }
  return undefined
}

/** Without a list of rules or flags that somebody has cleared. */
function withoutEmpty({ rules, flags, ...rest }: RolloutMembers): RolloutMembers {
  return {
    ...rest,
    ...(rules === undefined || rules.length === 0 ? {} : { rules }),
    ...(flags === undefined || Object.keys(flags).length === 0 ? {} : { flags }),
  }
}

function present<T extends Record<string, unknown>>(members: T): Defined<T> {
  const isSaid = ([, value]: [string, unknown]): boolean => value !== undefined
  return Object.fromEntries(Object.entries(members).filter(isSaid)) as Defined<T>
}

type Rules = NonNullable<Rollout['rules']>

/**
 * What a person held back or pinned on the live channel stays so until a person says otherwise: a list in the
 * configuration that does not know of it would let those agents go by the way, with the next release.
 */
function assertNoneReleased(before: Rules, after: Rules): void {
  const keepsBack = ({ hold, pin }: Rules[number]): boolean => hold === true || pin !== undefined
  const keyOf = ({ match }: Rules[number]): string => canonicalJson(match).toString()
  const kept = new Set(after.filter(keepsBack).map(keyOf))
  const lost = before.filter((rule) => keepsBack(rule) && !kept.has(keyOf(rule)))
  if (lost.length === 0) return
  throw new MoultError(
    'ERR_POLICY_REFUSED',
    'the rules of the configuration would let agents go that the live rollout holds back or pins',
    {
      hint: 'Add that to `rollout.rules` of the configuration, or lift it first with `moult rollout set --rule` or --no-rules.',
      details: { lost: lost.map(({ match }) => match) },
    },
  )
}

/** An agent that is sent back from a version and pinned to it would go to and fro for ever. */
function assertNoLoop({ rules = [], rollback = [] }: RolloutMembers): void {
  const pin = rules.map((rule) => rule.pin?.version).find((version) => rollback.includes(version ?? ''))
  if (pin === undefined) return
  throw new MoultError('ERR_POLICY_REFUSED', `a rule pins agents to a version that has to go back: ${pin}`, {
    hint: 'Take the pin off with `moult rollout set --rule` or --no-rules.',
    details: { version: pin },
  })
}
