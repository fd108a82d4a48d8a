// What the publisher has laid down for one agent: stages, rules, pause, the way back. Nothing of the machine counts here
// but who it is, what it runs, and how far its owner lets it take part.

import { draw, isBelowShare } from './bucket.ts'
import { parseDate } from './dates.ts'
import type { AgentFacts, RolloutPosition } from './agent-facts.ts'
import { parseDuration } from './durations.ts'
import type { Manifest } from './manifest.ts'
import { type ReleaseRef, type Ruling, rulingFor, type Stage } from './rule.ts'
import { isInRange } from './version-range.ts'
import { compareVersions } from './versions.ts'

export type Course = RolloutPosition &
  Pick<Ruling, 'windows'> & {
    /** When the next stage begins for agents like this one; milliseconds since 1970. */
    readonly nextStageMs?: number | undefined
  } & (
    | { readonly kind: 'stay' | 'downgrade' }
    | {
        readonly kind: 'go'
        readonly reason: 'first' | 'newer' | 'forced' | 'rollback' | 'pinned'
        /** Another release than that of the manifest. */
        readonly ref?: ReleaseRef
      }
    | {
        readonly kind: 'held'
        readonly reason: 'paused' | 'stage' | 'hold' | 'host-pin'
        readonly untilMs?: number | undefined
        /** It is not the publisher who holds it back: there is nothing else for it. */
        readonly isByHost?: boolean
      }
  )

/** The first row of SPEC.md, "Decision", that applies. @param now milliseconds since 1970 */
export function courseOf(manifest: Manifest, facts: AgentFacts, now: number): Course {
  const { release, rollout } = manifest
  const { running, policy } = facts
  const { move = {}, windows } = rulingFor(rollout.rules, facts)
  const entry = entryOf(manifest, move.stages ?? rollout.stages, facts, now)
  const common = {
    bucket: entry.bucket,
    percent: entry.percent,
    nextStageMs: entry.nextStageMs,
    ...(windows === undefined ? {} : { windows }),
  }
  const order = running === undefined ? 1 : compareVersions(release.version, running)
  const goesBack = order < 0 && (rollout.rollback ?? []).includes(running ?? '')
  const isForced = isForcedFrom(running, release.min_version, release.version)
  const pin = isLeftAtOnce(manifest, facts, move.pin) ? undefined : move.pin

  if (!goesBack && !isForced) {
    if (pin !== undefined) {
      const isThere = running !== undefined && compareVersions(pin.version, running) === 0
      if (isThere) return { ...common, kind: 'stay' }
      if (isOutside(pin.version, policy?.pin)) return { ...common, kind: 'held', reason: 'host-pin', isByHost: true }
      // It may name the very release that the publisher has stopped.
      if (rollout.paused === true && pin.release === rollout.release)
        return { ...common, kind: 'held', reason: 'paused' }
      return { ...common, kind: 'go', reason: 'pinned', ref: pin }
    }
    if (order === 0) return { ...common, kind: 'stay' }
    if (order < 0) return { ...common, kind: 'downgrade' }
    if (move.hold === true) return { ...common, kind: 'held', reason: 'hold' }
  }
  if (rollout.paused === true) return { ...common, kind: 'held', reason: 'paused' }
  if (goesBack) return { ...common, kind: 'go', reason: 'rollback' }
  if (isForced) return { ...common, kind: 'go', reason: 'forced' }
  if (isOutside(release.version, policy?.pin)) return { ...common, kind: 'held', reason: 'host-pin' }
  // Something has to run: what is meant for others yet is better than nothing, and than what would have to go at once.
  const isWithoutFallback =
    rollout.fallback === undefined || isForcedFrom(rollout.fallback.version, release.min_version, release.version)
  if (running === undefined && (isWithoutFallback || isBelowShare(entry.bucket, entry.percent)))
    return { ...common, kind: 'go', reason: 'first' }
  if (entry.isOpen) return { ...common, kind: 'go', reason: 'newer' }
  // The cap of the host holds updates back; a machine with nothing on it takes what others have.
  const isByHost = entry.isCapped && running !== undefined
  return { ...common, kind: 'held', reason: 'stage', untilMs: entry.opensMs, isByHost }
}

interface Entry extends RolloutPosition {
  readonly isOpen: boolean
  /** When it opens, if that is known. */
  readonly opensMs?: number | undefined
  readonly isCapped: boolean
  readonly nextStageMs: number | undefined
}

/**
 * Where the agent stands among the stages. It may update from the time of the first stage that has it in and every later
 * one too, plus its own part of the spread.
 */
function entryOf(
  { rollout, releaseDigest }: Manifest,
  stages: readonly Stage[],
  facts: AgentFacts,
  now: number,
): Entry {
  const { percentCap = 100 } = facts.policy ?? {}
  const { bucket, place } = draw(rollout.salt ?? releaseDigest, facts.id)
  const delayMs = Math.floor((parseDuration(rollout.spread ?? '') ?? 0) * place)
  const timed = inOrder(stages)
  const isIn = (stage: TimedStage): boolean => isBelowShare(bucket, Math.min(stage.percent, percentCap))

  const begun = timed.filter(({ atMs }) => atMs <= now)
  const percent = Math.min(begun.at(-1)?.percent ?? 0, percentCap)
  const since = begun.findLastIndex((stage) => !isIn(stage)) + 1
  const own = begun[since] ?? timed.find((stage) => stage.atMs > now && isIn(stage))
  const opensMs = own === undefined ? undefined : own.atMs + delayMs
  return {
    bucket,
    percent,
    isOpen: opensMs !== undefined && opensMs <= now,
    opensMs,
    isCapped: !isBelowShare(bucket, percentCap),
    nextStageMs: timed.find(({ atMs }) => atMs > now)?.atMs,
  }
}

interface TimedStage {
  readonly atMs: number
  readonly percent: number
}

function isOutside(version: string, pin: string | undefined): boolean {
  return pin !== undefined && !isInRange(version, pin)
}

/** A statement never changes, and is asked for each agent of a fleet. */
const ordered = new WeakMap<readonly Stage[], readonly TimedStage[]>()

function inOrder(stages: readonly Stage[]): readonly TimedStage[] {
  const known = ordered.get(stages)
  if (known !== undefined) return known
  const timed = stages
    .map(({ at, percent }) => ({ atMs: parseDate(at) ?? Number.POSITIVE_INFINITY, percent }))
    .toSorted((a, b) => a.atMs - b.atMs)
  ordered.set(stages, timed)
  return timed
}

/** A minimum above the offered version could never be met, so it forces nothing. */
function isForcedFrom(running: string | undefined, minimum: string | undefined, offered: string): boolean {
  if (running === undefined || minimum === undefined) return false
  return compareVersions(minimum, offered) <= 0 && compareVersions(running, minimum) < 0
}

/** Who is pinned to a version that this same manifest sends on would go to and fro for ever. */
function isLeftAtOnce({ release, rollout }: Manifest, facts: AgentFacts, pin: ReleaseRef | undefined): boolean {
  if (pin === undefined) return false
  const { version } = pin
  if ((rollout.rollback ?? []).includes(version)) return true
  if (isForcedFrom(version, release.min_version, release.version)) return true
  if (facts.running === undefined || compareVersions(version, facts.running) >= 0) return false
  // A way down has to end there: what rules say of the version that they pin to may lead up again.
  const { move = {} } = rulingFor(rollout.rules, { ...facts, running: version })
  if (move.pin !== undefined) return move.pin.release !== pin.release
  return move.hold !== true && compareVersions(release.version, version) > 0
}
