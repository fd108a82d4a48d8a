// Whether an agent installs what a verified manifest offers: a pure function, so that the agent, `explain` and
// `preview` cannot disagree.

import type { AgentFacts, RolloutPosition } from './agent-facts.ts'
import type { Binary, Manifest, Release } from './manifest.ts'
import { type Course, courseOf } from './rollout-course.ts'
import type { ReleaseRef } from './rule.ts'
import type { Verified } from './verify-manifest.ts'
import { compareVersions } from './versions.ts'
import { isInRange } from './version-range.ts'
import { nextMeeting, type WindowLists } from './window.ts'

export type Decision = RolloutPosition &
  (
    | { readonly kind: 'up-to-date' }
    | {
        readonly kind: 'install'
        readonly reason: 'first' | 'newer' | 'forced' | 'rollback' | 'pinned' | 'held-back'
        readonly version: string
        readonly binary: Binary
        /** Of the manifest, or the other one that is meant for this agent. */
        readonly release: Release
      }
    | {
        readonly kind: 'wait'
        readonly reason: 'paused' | 'stage' | 'hold' | 'approval' | 'window'
        readonly version: string
        readonly untilMs?: number
        /** What a person would approve: there when nothing else but the host holds it back. */
        readonly binary?: Binary
      }
    | {
        readonly kind: 'refuse'
        readonly reason: 'downgrade' | 'below-floor' | 'quarantined' | 'no-platform' | 'host-pin'
        readonly version: string
      }
  )

/** The decision depends on a release that is not in the manifest: fetch it, verify it, and ask again. */
export interface ReleaseNeeded {
  readonly kind: 'release-needed'
  readonly ref: ReleaseRef
  /** Held back: when it cannot be had, the decision goes without. Pinned: then there is none. */
  readonly reason: 'pinned' | 'held-back'
}

/** Releases besides that of the manifest, by digest; undefined is one that cannot be had now. */
export type OtherReleases = ReadonlyMap<string, Verified<Release> | undefined>

/**
 * Asks again with each release that the answer needs, until it needs none; they are kept in `others`.
 * @param get answers undefined for one that cannot be had and is passed over
 */
export async function withOtherReleases<Answer extends { readonly kind: string }>(
  others: Map<string, Verified<Release> | undefined>,
  ask: () => Answer | ReleaseNeeded,
  get: (needed: ReleaseNeeded) => Promise<Verified<Release> | undefined>,
): Promise<Answer> {
  for (;;) {
    const answer = ask()
    if (!isReleaseNeeded(answer)) return answer
    others.set(answer.ref.release, await get(answer))
  }
}

function isReleaseNeeded(answer: { readonly kind: string }): answer is ReleaseNeeded {
  return answer.kind === 'release-needed'
}

type Reasons = {
  readonly [K in 'wait' | 'refuse']: Extract<Decision, { kind: K }>['reason']
}

/**
 * The course that the publisher has laid down decides first; then what this machine can run at all; then what its owner
 * wants. Of what an update may have to wait for, that comes first which keeps it longest and on which nobody at this
 * machine has a say: the publisher's stage; then the approval, so that a person is asked at any hour of the day, and only
 * for what has come to this machine; the windows come last, as they open by themselves.
 *
 * @param now milliseconds since 1970, raised to the agent's time floor
 * @param others what was fetched for a `release-needed` before
 */
export function decide(
  manifest: Verified<Manifest>,
  facts: AgentFacts,
  now: number,
  others: OtherReleases = new Map(),
): Decision | ReleaseNeeded {
  const course = courseOf(manifest, facts, now)
  const { bucket, percent } = course
  const { version } = manifest.release
  const position = { bucket, percent }
  const refuse = (of: string, reason: Reasons['refuse']): Decision => ({
    ...position,
    kind: 'refuse',
    reason,
    version: of,
  })
  const wait = (of: string, reason: Reasons['wait'], untilMs?: number, binary?: Binary): Decision => ({
    ...position,
    kind: 'wait',
    reason,
    version: of,
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(binary === undefined ? {} : { binary }),
  })
  switch (course.kind) {
    case 'stay':
      return { ...position, kind: 'up-to-date' }
    case 'downgrade':
      return refuse(version, 'downgrade')
    case 'held': {
      const fallback = fallbackFor(manifest, course, facts, others)
      if (fallback !== undefined) {
        const decision = install(fallback, 'held-back')
        if (decision.kind !== 'refuse') return decision
      }
      const blocked = blockedBy(manifest.release, facts)
      if (blocked !== undefined) return refuse(version, blocked)
      return course.reason === 'host-pin' ? refuse(version, 'host-pin') : wait(version, course.reason, course.untilMs)
    }
    case 'go':
      return install(course.ref ?? manifest.release, course.reason)
  }

  function install(
    target: Release | ReleaseRef,
    reason: Extract<Decision, { kind: 'install' }>['reason'],
  ): Decision | ReleaseNeeded {
    const release = 'binaries' in target ? target : others.get(target.release)
    if (release === undefined)
      return {
        kind: 'release-needed',
        ref: target as ReleaseRef,
        reason: reason === 'held-back' ? reason : 'pinned',
      }
    const blocked = blockedBy(release, facts)
    if (blocked !== undefined) return refuse(release.version, blocked)
    const binary = release.binaries[facts.platform] as Binary
    if (!isUrgent(reason) && facts.running !== undefined) {
      if (facts.policy?.approved?.has(binary.sha256) === false)
        return wait(release.version, 'approval', undefined, binary)
      const meetsMs = nextMeeting(windowsFor(course, facts), now)
      if (meetsMs !== now) return wait(release.version, 'window', meetsMs, binary)
    }
    return { ...position, kind: 'install', reason, version: release.version, binary, release }
  }
}

/** What no wait may hold up: the way back from what is known to be bad, and what the publisher forces. */
function isUrgent(reason: Extract<Decision, { kind: 'install' }>['reason']): boolean {
  return reason === 'rollback' || reason === 'forced'
}

/**
 * The release before, for those that the present one is held back from: older than what runs only where the publisher
 * wants that to be left.
 */
function fallbackFor(
  { rollout }: Manifest,
  course: Extract<Course, { kind: 'held' }>,
  { running, policy }: AgentFacts,
  others: OtherReleases,
): ReleaseRef | undefined {
  const { fallback, rollback = [] } = rollout
  // A rule holds them where they are, or the host does not take part.
  if (fallback === undefined || course.reason === 'hold' || course.isByHost === true) return undefined
  if (others.has(fallback.release) && others.get(fallback.release) === undefined) return undefined
  if (rollback.includes(fallback.version)) return undefined
  const mustLeave = running !== undefined && rollback.includes(running)
  if (running !== undefined && !mustLeave && compareVersions(fallback.version, running) <= 0) return undefined
  return policy?.pin === undefined || isInRange(fallback.version, policy.pin) ? fallback : undefined
}

/** Why this machine cannot run a release, whatever the rollout says. */
function blockedBy(
  { version, binaries }: Release,
  { rollbackFloor, platform, quarantine }: AgentFacts,
): Reasons['refuse'] | undefined {
  if (rollbackFloor !== undefined && compareVersions(version, rollbackFloor) < 0) return 'below-floor'
  const binary = Object.hasOwn(binaries, platform) ? binaries[platform] : undefined
  if (binary === undefined) return 'no-platform'
  return quarantine.has(binary.sha256) ? 'quarantined' : undefined
}

/** The publisher's windows and those of the host: both have to be open. */
function windowsFor({ windows = [] }: Course, { policy, timezone = 'UTC' }: AgentFacts): WindowLists {
  const signed = windows.map((window) => ({ timezone, ...window }))
  return [signed, policy?.windows ?? []].filter((list) => list.length > 0)
}
