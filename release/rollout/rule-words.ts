// Rules and flags in plain words, for people.

import { parseDate, type Rule, type RuleMatch, type Stage } from '../../manifests/index.ts'
import { type Definitions, printFlags } from './flag-text.ts'
import { printWindows } from './window-text.ts'

/** A list of ids longer than this is counted. */
const IDS_SHOWN_MAX = 4

/** E.g. `agents with label ring canary: 100 % since 2026-11-21`. @param now milliseconds since 1970 */
export function describeRule({ match, stages, pin, hold, windows, flags }: Rule, now: number): string {
  const effects = [
    ...(stages === undefined ? [] : [describeStages(stages, now)]),
    ...(pin === undefined ? [] : [`pinned to ${pin.version}`]),
    ...(hold === true ? ['held where they are'] : []),
    ...(windows === undefined ? [] : [`updates wait for ${printWindows(windows)}`]),
    ...describeFlags(flags ?? {}).map((flag) => `flag ${flag}`),
  ]
  return `${describeMatch(match)}: ${effects.length === 0 ? 'nothing' : effects.join('; ')}`
}

/** A line for each flag, e.g. `parser=new 50%, old 50%`. */
export function describeFlags(flags: Definitions): string[] {
  return printFlags(flags)
}

/** Begun stages by their day; the last of them is the one that counts. */
function describeStages(stages: readonly Stage[], now: number): string {
  return stages
    .map(({ at, percent }) => `${percent} % ${(parseDate(at) ?? 0) <= now ? 'since' : 'from'} ${dayOf(at, now)}`)
    .join(', ')
}

/** The hour matters for what is to come. */
function dayOf(at: string, now: number): string {
  return (parseDate(at) ?? 0) <= now ? at.slice(0, 10) : at
}

function describeMatch({ labels = {}, ids, platforms, versions }: RuleMatch): string {
  const conditions = [
    ...Object.entries(labels).map(([name, values]) => `with label ${name} ${values.join(' or ')}`),
    ...(ids === undefined ? [] : [idsText(ids)]),
    ...(platforms === undefined ? [] : [`on ${platforms.join(' or ')}`]),
    ...(versions === undefined ? [] : [`that run ${versions.join(' or ')}`]),
  ]
  return conditions.length === 0 ? 'all agents' : `agents ${conditions.join(' and ')}`
}

function idsText(ids: readonly string[]): string {
  return ids.length > IDS_SHOWN_MAX ? `of ${ids.length} named ids` : `with id ${ids.join(' or ')}`
}
