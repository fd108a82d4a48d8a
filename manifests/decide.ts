// Whether an agent installs what a verified manifest offers: a pure function, so that the agent, `explain` and
// `preview` cannot disagree.

import { isInRollout, rolloutBucket } from './bucket.ts'
import { parseDate } from './dates.ts'
import type { Binary, Manifest, Rollout } from './manifest.ts'
import type { Platform } from './platform.ts'
import type { Verified } from './verify-manifest.ts'
import { compareVersions } from './versions.ts'
import { isWindowOpen, type MaintenanceWindow, nextOpening } from './window.ts'

/** What the decision depends on besides the manifest and the time. */
export interface AgentFacts {
  /** Stable id of this agent; the rollout bucket is made of it. */
  readonly id: string
  readonly platform: Platform
  /** The version that runs; undefined when nothing is installed yet. */
  readonly running?: string | undefined
  /** SHA-256 of artifacts that failed on this machine. */
  readonly quarantine: ReadonlySet<string>
  /** The highest `rollback_floor` of a release that has run here. */
  readonly rollbackFloor?: string | undefined
  readonly policy?: HostPolicy | undefined
}

/** What the owner of the machine has laid down; it can hold an update back, never bring one. */
export interface HostPolicy {
  /** This host takes part in a rollout as if it never went beyond this percent. */
  readonly percentCap?: number | undefined
  /** Updates wait until one of these is open; without any they need not. */
  readonly windows?: readonly MaintenanceWindow[] | undefined
  /** SHA-256 of the artifacts that a person has approved; absent where nobody has to. */
  readonly approved?: ReadonlySet<string> | undefined
}

/** Where the agent stands in the rollout; percent and bucket explain a wait. */
export interface RolloutPosition {
  /** 0 to 9999, in hundredths of a percent. */
  readonly bucket: number
  /** Percent of the fleet that may update now, and not more than this host's cap. */
  readonly percent: number
}

export type Decision = RolloutPosition &
  (
    | { readonly kind: 'up-to-date' }
    | {
        readonly kind: 'install'
        readonly reason: 'first' | 'newer' | 'forced' | 'rollback'
        readonly version: string
        readonly binary: Binary
      }
    | {
        readonly kind: 'wait'
        readonly reason: 'paused' | 'stage' | 'approval' | 'window'
        readonly version: string
        readonly untilMs?: number
      }
    | {
        readonly kind: 'refuse'
        readonly reason: 'downgrade' | 'below-floor' | 'quarantined' | 'no-platform'
        readonly version: string
      }
  )

/**
 * The first row that applies decides. Of what an update may have to wait for, that comes first which keeps it longest and
 * on which nobody at this machine has a say: the publisher's stage; then the approval, so that a person is asked at any
 * hour of the day, and only for what has come to this machine; the window comes last, as it opens by itself.
 *
 * @param now milliseconds since 1970, raised to the agent's time floor
 */
export function decide(manifest: Verified<Manifest>, facts: AgentFacts, now: number): Decision {
  const { release, rollout } = manifest
  const { version } = release
  const { percentCap, windows = [], approved } = facts.policy ?? {}
  const position = rolloutPosition(manifest, facts.id, now, percentCap)
  const refuse = (reason: (Decision & { kind: 'refuse' })['reason']): Decision => ({
    ...position,
    kind: 'refuse',
    reason,
    version,
  })

  const direction = facts.running === undefined ? 1 : compareVersions(version, facts.running)
  if (direction === 0) return { ...position, kind: 'up-to-date' }
  const goesBack = direction < 0
  if (goesBack && !(rollout.rollback ?? []).includes(facts.running ?? '')) return refuse('downgrade')
  if (facts.rollbackFloor !== undefined && compareVersions(version, facts.rollbackFloor) < 0)
    return refuse('below-floor')

  const binary = Object.hasOwn(release.binaries, facts.platform) ? release.binaries[facts.platform] : undefined
  if (binary === undefined) return refuse('no-platform')
  if (facts.quarantine.has(binary.sha256)) return refuse('quarantined')

  const wait = (reason: (Decision & { kind: 'wait' })['reason'], untilMs?: number): Decision => ({
    ...position,
    kind: 'wait',
    reason,
    version,
    ...(untilMs === undefined ? {} : { untilMs }),
  })
  const install = (reason: (Decision & { kind: 'install' })['reason']): Decision => ({
    ...position,
    kind: 'install',
    reason,
    version,
    binary,
  })
  if (rollout.paused === true) return wait('paused')
  // Nothing runs that an update could disturb; or what runs is known to be bad. Neither waits for anything.
  if (facts.running === undefined) return install('first')
  if (goesBack) return install('rollback')
  if (isForced(release.min_version, facts.running, version)) return install('forced')
  if (!isInRollout(position.bucket, position.percent))
    return wait('stage', nextStageFor(rollout, position.bucket, now, percentCap))
  if (approved?.has(binary.sha256) === false) return wait('approval')
  if (windows.length > 0 && !isWindowOpen(windows, now)) return wait('window', nextOpening(windows, now))
  return install('newer')
}

export function rolloutPosition(
  { rollout, releaseDigest }: Manifest,
  agentId: string,
  now: number,
  percentCap = 100,
): RolloutPosition {
  const bucket = rolloutBucket(rollout.salt ?? releaseDigest, agentId)
  let percent = 0
  for (const stage of stagesInOrder(rollout)) if (stage.atMs <= now) percent = stage.percent
  return { bucket, percent: Math.min(percent, percentCap) }
}

/** A minimum above the offered version could never be met, so it forces nothing. */
function isForced(minimum: string | undefined, running: string, offered: string): boolean {
  return minimum !== undefined && compareVersions(minimum, offered) <= 0 && compareVersions(running, minimum) < 0
}

function nextStageFor(rollout: Rollout, bucket: number, now: number, percentCap = 100): number | undefined {
  if (!isInRollout(bucket, percentCap)) return undefined
  return stagesInOrder(rollout).find((stage) => stage.atMs > now && isInRollout(bucket, stage.percent))?.atMs
}

function stagesInOrder(rollout: Rollout): { atMs: number; percent: number }[] {
  return rollout.stages
    .map(({ at, percent }) => ({ atMs: parseDate(at) ?? Number.POSITIVE_INFINITY, percent }))
    .toSorted((a, b) => a.atMs - b.atMs)
}
