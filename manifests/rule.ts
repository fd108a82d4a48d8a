// Rules of a rollout: what some agents get instead of what the rollout says for all. They are closed: an agent that passed
// over a condition which it does not know would take the rule for one that means more machines.

import { type FlagDefinition, flagsShape } from './flags.ts'
import { LABELS_MAX, RULE_IDS_MAX, RULES_MAX, STAGES_MAX } from './limits.ts'
import { PLATFORM_PATTERN } from './platform.ts'
import {
  array,
  boolean,
  integer,
  object,
  optional,
  record,
  refined,
  type ShapeOf,
  singleLine,
  string,
} from './shape.ts'
import { dateShape, hashShape, urlShape, versionShape } from './statement.ts'
import { isInRange, versionRangeShape } from './version-range.ts'
import { signedWindowShape } from './window.ts'

export const LABEL_NAME = /^[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?$/
export const labelValueShape = string({
  pattern: /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
  says: 'a label of letters, digits, `.`, `_` and `-`, at most 63',
})
export const agentIdShape = singleLine(128)
/** Labels of a machine, such as `ring` `canary`. */
export const labelsShape = record(LABEL_NAME, labelValueShape, { max: LABELS_MAX })

const stageShape = object({ at: dateShape, percent: integer({ max: 100 }) })
export const stagesShape = array(stageShape, { min: 1, max: STAGES_MAX })

/** Another release than the one in the manifest, bound by its digest. */
export const releaseRefShape = object({ version: versionShape, release: hashShape, url: urlShape }, { open: true })

const several = <T>(item: Parameters<typeof array<T>>[0], max: number) => optional(array(item, { min: 1, max }))

/** Every member that is there must hold; of its values one must. Without any member: all agents. */
const matchShape = object({
  labels: optional(record(LABEL_NAME, array(labelValueShape, { min: 1, max: 64 }), { min: 1, max: LABELS_MAX })),
  ids: several(agentIdShape, RULE_IDS_MAX),
  platforms: several(string({ pattern: PLATFORM_PATTERN, says: 'a platform such as linux-amd64' }), 64),
  /** Of what runs: an agent with nothing installed has none. */
  versions: several(versionRangeShape, 16),
})

const ruleShape = refined(
  object({
    match: matchShape,
    /** The share of these agents, in place of the rollout's own stages. */
    stages: optional(stagesShape),
    /** The release for these agents, newer or older than what they run. */
    pin: optional(releaseRefShape),
    /** They stay where they are. */
    hold: optional(boolean()),
    windows: several(signedWindowShape, 16),
    flags: optional(flagsShape),
  }),
  ({ stages, pin, hold }) =>
    [stages, pin, hold === true ? hold : undefined].filter((one) => one !== undefined).length < 2,
  'no more than one of stages, pin and hold',
)
export const rulesShape = array(ruleShape, { max: RULES_MAX })

export type Rule = ShapeOf<typeof ruleShape>
export type RuleMatch = Rule['match']
export type Stage = ShapeOf<typeof stageShape>
export type ReleaseRef = ShapeOf<typeof releaseRefShape>
export type Labels = Readonly<Record<string, string>>

/** What rules look at. */
export interface RuleSubject {
  readonly id: string
  readonly platform: string
  readonly running?: string | undefined
  readonly labels?: Labels | undefined
}

/** What the rules say for one agent: of each thing, the first matching rule that speaks of it. */
export interface Ruling {
  readonly move?: Pick<Rule, 'stages' | 'pin' | 'hold'>
  readonly windows?: NonNullable<Rule['windows']>
  readonly flags: Readonly<Record<string, FlagDefinition>>
}

export function rulingFor(rules: readonly Rule[] | undefined, subject: RuleSubject): Ruling {
  const matching = (rules ?? []).filter(({ match }) => matches(match, subject))
  const move = matching.find(({ stages, pin, hold }) => stages !== undefined || pin !== undefined || hold === true)
  const windows = matching.find((rule) => rule.windows !== undefined)?.windows
  return {
    ...(move === undefined ? {} : { move }),
    ...(windows === undefined ? {} : { windows }),
    flags: Object.assign({}, ...matching.toReversed().map(({ flags }) => flags)) as Ruling['flags'],
  }
}

function matches({ labels, ids, platforms, versions }: RuleMatch, subject: RuleSubject): boolean {
  const { running, labels: own = {} } = subject
  const hasLabel = ([name, values]: [string, string[]]): boolean =>
    Object.hasOwn(own, name) && values.includes(own[name] ?? '')
  return (
    (labels === undefined || Object.entries(labels).every(hasLabel)) &&
    (ids === undefined || ids.includes(subject.id)) &&
    (platforms === undefined || platforms.includes(subject.platform)) &&
    (versions === undefined || (running !== undefined && versions.some((range) => isInRange(running, range))))
  )
}
