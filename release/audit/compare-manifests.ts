// What a publisher did, told from two manifests that follow each other.

import {
  canonicalJson,
  compareVersions,
  type JsonObject,
  type JsonValue,
  parseDate,
  type Rule,
  sha256,
  type Stage,
} from '../../manifests/index.ts'
import { draftOf } from '../rollout/rule-text.ts'
import { inOrder, percentAt } from '../stages.ts'
import type { PastManifest } from './walk-history.ts'

export type HistoryEvent =
  | { readonly kind: 'released' | 'rolled-back'; readonly version: string; readonly stages: readonly Stage[] }
  /** The share of the fleet at that moment, or at the end where it was the same then. */
  | { readonly kind: 'widened' | 'narrowed'; readonly from: number; readonly to: number }
  | { readonly kind: 'root'; readonly from: number; readonly to: number }
  /** The same release with signatures of other keys. */
  | { readonly kind: 'signed-anew' }
  | { readonly kind: 'paused' | 'resumed' }
  /** Another member of the rollout, such as `rules` or `flags`; `stages` when only their times are others. */
  | { readonly kind: 'changed'; readonly member: string }
  /** Nothing but its dates. */
  | { readonly kind: 'refreshed' }

export interface RootedManifest extends PastManifest {
  /** Version of the newest root that came with it. */
  readonly root: number
}

/** @param before undefined for the first manifest of a channel */
export function compareManifests(before: RootedManifest | undefined, after: RootedManifest): HistoryEvent[] {
  const { release, rollout } = after
  const released = { kind: 'released', version: release.version, stages: rollout.stages } as const
  if (before === undefined) return [released]
  const isOther = rollout.release !== before.rollout.release
  const isBack = compareVersions(release.version, before.release.version) < 0
  const events: HistoryEvent[] = []
  if (isOther) events.push(isBack ? { ...released, kind: 'rolled-back' } : released)
  else events.push(...changeOfStages(before, after), ...changeOfSigners(before, after))
  const isResumed = isPaused(before) && !isPaused(after)
  if (isPaused(after) !== isPaused(before)) events.push({ kind: isResumed ? 'resumed' : 'paused' })
  if (after.root !== before.root) events.push({ kind: 'root', from: before.root, to: after.root })
  // A release brings its own fallback and its own way back.
  const passed = isOther ? ['fallback', 'rollback', 'salt'] : []
  if (isOther ? haveSameRules(before, after, draftOf) : isResumed && haveSameRules(before, after, withoutTimes))
    passed.push('rules')
  for (const member of otherMembers(before, after))
    if (!passed.includes(member)) events.push({ kind: 'changed', member })
  return events.length === 0 ? [{ kind: 'refreshed' }] : events
}

function isPaused({ rollout }: PastManifest): boolean {
  return rollout.paused === true
}

/** Their stages begin anew with a release, and are later after a pause: nobody has changed them. */
function haveSameRules(before: PastManifest, after: PastManifest, plain: (rule: Rule) => unknown): boolean {
  const [old, now] = [before, after].map(({ rollout }) => rollout.rules?.map(plain))
  return isEqual(old, now)
}

function withoutTimes({ stages, ...rest }: Rule): unknown {
  return { ...rest, ...(stages === undefined ? {} : { percents: inOrder(stages).map(({ percent }) => percent) }) }
}

function changeOfStages(before: PastManifest, after: PastManifest): HistoryEvent[] {
  const [old, now] = [inOrder(before.rollout.stages), inOrder(after.rollout.stages)]
  if (isEqual(before.rollout.stages, after.rollout.stages)) return []
  // The stages to come are later by the length of a pause.
  const isMoved = isEqual(
    old.map(({ percent }) => percent),
    now.map(({ percent }) => percent),
  )
  if (isMoved && isPaused(before) && !isPaused(after)) return []
  const issuedMs = parseDate(after.rollout.issued) ?? 0
  const shares = [
    [percentAt(before.rollout.stages, issuedMs), percentAt(after.rollout.stages, issuedMs)],
    [old.at(-1)?.percent ?? 0, now.at(-1)?.percent ?? 0],
  ] as const
  const [from, to] = shares.find((pair) => pair[0] !== pair[1]) ?? [0, 0]
  return [from === to ? { kind: 'changed', member: 'stages' } : { kind: to > from ? 'widened' : 'narrowed', from, to }]
}

function changeOfSigners({ document: before }: PastManifest, { document: after }: PastManifest): HistoryEvent[] {
  return isEqual(before['signatures'], after['signatures']) ? [] : [{ kind: 'signed-anew' }]
}

/** Members that each manifest has anew, or that are told otherwise. */
const TOLD: ReadonlySet<string> = new Set([
  ...['release', 'sequence', 'issued', 'expires', 'previous', 'signatures'],
  ...['stages', 'paused', 'paused_since', 'base'],
])

function otherMembers(before: PastManifest, after: PastManifest): string[] {
  const [a, b] = [before, after].map(({ document }) => document['rollout'] as JsonObject) as [JsonObject, JsonObject]
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].filter((name) => !TOLD.has(name) && !isEqual(a[name], b[name])).toSorted()
}

function isEqual(a: unknown, b: unknown): boolean {
  return hashOf(a) === hashOf(b)
}

function hashOf(value: unknown): string {
  return value === undefined ? '' : sha256(canonicalJson(value as JsonValue))
}
