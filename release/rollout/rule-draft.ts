import { formatDate, MoultError, type ReleaseRef, type Rule } from '../../manifests/index.ts'
import { datedStages, type StageOffset } from '../stages.ts'

/** A rule as a person writes it: times count from the moment of issue, and a pin names a version. */
export interface RuleDraft extends Pick<Rule, 'match' | 'windows' | 'flags'> {
  readonly stages?: readonly StageOffset[]
  readonly pin?: string
  readonly hold?: true
}

/** Published releases by version, for pins and for the fallback. */
export type References = ReadonlyMap<string, ReleaseRef>

/** @param now milliseconds since 1970: when its stages begin to count */
export function ruleOf({ stages, pin, ...rest }: RuleDraft, references: References, now: number): Rule {
  return {
    ...rest,
    ...(stages === undefined ? {} : { stages: datedStages(stages, now) }),
    ...(pin === undefined ? {} : { pin: referenceTo(pin, references, now) }),
  }
}

function referenceTo(version: string, references: References, now: number): ReleaseRef {
  const reference = references.get(version)
  if (reference !== undefined) return reference
  throw new MoultError('ERR_BUG', `not looked up at ${formatDate(now)}: release ${version}`)
}
