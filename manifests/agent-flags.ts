import { type Flags, flagValues } from './flags.ts'
import type { Manifest } from './manifest.ts'
import { type RuleSubject, rulingFor } from './rule.ts'

/** The flags that a rollout gives to one agent: those of its rules in place of the rollout's own of the same names. */
export function flagsFor({ rollout }: Pick<Manifest, 'rollout'>, subject: RuleSubject): Flags {
  return flagValues({ ...rollout.flags, ...rulingFor(rollout.rules, subject).flags }, subject.id)
}
