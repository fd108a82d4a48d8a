// One update, from the poll to the swap. This is the whole way of new bytes onto a machine, one line a step:
//
//   poll -> verify -> decide -> download -> stage -> swap
//
// What follows, in another process: launch (launcher/launch.sh) -> probation -> confirm or roll back (probation.ts).

import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

import {
  type AgentFacts,
  type Binary,
  decide,
  type Decision,
  formatBeacon,
  formatDate,
  formatDuration,
  isMoultError,
  type Manifest,
  MoultError,
  type OtherReleases,
  type Platform,
  platformOf,
  type Release,
  type ReleaseNeeded,
  type Verified,
  withOtherReleases,
} from '../manifests/index.ts'
import { acceptManifest, timeOf } from './poll/accept-manifest.ts'
import { factsOf } from './poll/agent-facts.ts'
import { withAgentId } from './poll/agent-id.ts'
import { downloadArtifact } from './download/download.ts'
import { chooseSources, noteDelta } from './download/choose-sources.ts'
import { sourceName } from './download/usable-sources.ts'
import type { AgentEvent } from './events/events.ts'
import { runHook } from './stage/hooks.ts'
import { type InstalledRollout, programOf } from './home/receipt.ts'
import { installedRecord, type LaunchRecord, writeLaunchRecord } from './home/launch-record.ts'
import { otherRelease } from './poll/other-release.ts'
import { pollManifest } from './poll/poll.ts'
import { beaconOf, speakingVersion, userAgentOf } from './poll/user-agent.ts'
import { pollIntervalMs } from './poll/poll-interval.ts'
import { bookTold } from './report/beacon-book.ts'
import type { Settings } from './settings/settings.ts'
import { stageVersion } from './stage/stage.ts'
import { loadState, saveState, withQuarantined } from './home/state.ts'
import type { Monotonic } from './trial/trial-clock.ts'

export interface UpdateDeps {
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** The machine's own when absent. */
  readonly monotonic?: () => Monotonic
  readonly emit: (event: AgentEvent) => void
  readonly signal?: AbortSignal | undefined
}

export interface UpdateOptions {
  /** False: decide and report, but change nothing that runs. */
  readonly apply: boolean
  /** What runs, where that is not what is installed here: in a container that others update. */
  readonly running?: string
  /** The version of the program that asks, where it may be another than the installed one: that waits for a start then. */
  readonly program?: string
  /** Of what runs, where that is not this machine. */
  readonly platform?: Platform
}

export type UpdateResult =
  | {
      readonly kind: 'checked'
      readonly decision: Decision
      readonly manifest: Verified<Manifest>
      /** What was decided on, so that what follows from it can be told. */
      readonly facts: AgentFacts
      readonly others: OtherReleases
      /** Milliseconds since 1970. */
      readonly now: number
    }
  | { readonly kind: 'swapped'; readonly version: string; readonly previous?: string }

/**
 * Polls once and installs what the decision allows. The caller holds the lock of the home.
 *
 * @returns `swapped` once the new version is durably what runs next
 * @throws MoultError; the old version is then still what runs
 */
export async function update(settings: Settings, options: UpdateOptions, deps: UpdateDeps): Promise<UpdateResult> {
  const { home } = settings
  const record = installedRecord(home)
  const loaded = loadState(home, settings.root, (message) => deps.emit({ kind: 'warning', message }))
  const { id, state } = withAgentId(settings.root.name, loaded)
  const running = options.running ?? record?.version
  const platform = options.platform ?? platformOf(process.platform, process.arch)
  const speaker = {
    version: options.running ?? options.program ?? speakingVersion(record),
    platform,
    state: loaded,
    // Where others bring the updates, what runs is what they brought.
    record: options.running === undefined ? record : undefined,
    isForOthers: options.platform !== undefined,
  }
  const beacon = beaconOf(settings, speaker, deps.clock())
  const userAgent = userAgentOf(settings, speaker)

  const request = { userAgent, secretHeaders: settings.headers, stallMs: settings.stallMs, signal: deps.signal }
  const polled = await pollManifest(home, state, { ...request, url: settings.url, userAgent: formatBeacon(beacon) })
  const manifest = acceptManifest(settings, state, polled, deps.clock)
  bookTold(settings, beacon, deps.clock())
  const base = new URL(manifest.rollout.base ?? '', settings.url)
  const now = timeOf(state, deps.clock())
  const facts = factsOf(settings, state, { id: settings.id ?? id, running, platform }, now)
  const others = new Map<string, Verified<Release> | undefined>()
  const decision = await withOtherReleases(others, () => decide(manifest, facts, now, others), releaseFor)
  const { sequence, poll } = manifest.rollout
  deps.emit({ kind: 'checked', decision, sequence, intervalMs: pollIntervalMs(settings, poll) })
  const checked = { kind: 'checked', decision, manifest, facts, others, now } as const
  if (decision.kind !== 'install' || !options.apply) return checked

  const { version, binary, release } = decision
  const sources = chooseSources(settings, binary)
  const bytes = sources[0]?.size ?? binary.size
  deps.emit({ kind: 'update-found', version, running: running ?? 'nothing', reason: decision.reason, bytes })
  const { path: artifact, source } = await downloadArtifact(home, binary, sources, {
    base,
    userAgent,
    secretHeaders: settings.headers,
    timeoutMs: settings.downloadTimeoutMs,
    stallMs: settings.stallMs,
    retries: settings.retries,
    rateLimit: settings.rateLimit,
    maxBytes: settings.maxPackageSize,
    signal: deps.signal,
    emit: deps.emit,
    noteDelta: (delta, isUseless) => noteDelta(settings, delta, isUseless),
  })
  deps.emit({ kind: 'downloaded', version, source: sourceName(source), bytes: source.size })
  const late = AbortSignal.timeout(settings.installTimeoutMs)
  try {
    await stageVersion(home, release, binary, artifact, {
      preflight: settings.preflight,
      running: record?.version,
      rollout: installedBy(settings, manifest),
      preUpdate: preUpdateOf(settings, version, binary, record, deps),
      signal: AbortSignal.any([late, ...(deps.signal === undefined ? [] : [deps.signal])]),
    })
  } catch (error) {
    if (late.aborted && deps.signal?.aborted !== true && !isHookError(error)) throw lateError(settings, version, error)
    refuseForNow(settings, version, binary, error, deps)
    throw error
  }
  deps.emit({ kind: 'staged', version })
  return swap(settings, version, record, deps)

  /** The one before is there for want of a better one: that it cannot be had is no failure of the poll. */
  async function releaseFor({ ref, reason }: ReleaseNeeded): Promise<Verified<Release> | undefined> {
    const { root } = loadState(home, settings.root, () => undefined)
    try {
      return await otherRelease(home, ref, root, base, request)
    } catch (error) {
      if (reason !== 'held-back' || !isMoultError(error)) throw error
      deps.emit({ kind: 'warning', message: `release ${ref.version} cannot be had: ${error.message}` })
      return undefined
    }
  }
}

function installedBy(settings: Settings, manifest: Manifest): InstalledRollout {
  const { root } = loadState(settings.home, settings.root, () => undefined)
  return { channel: settings.channel, sequence: manifest.rollout.sequence, root: root.version }
}

/** What did not start here at its first trial is not downloaded again at every poll. */
function refuseForNow(settings: Settings, version: string, binary: Binary, error: unknown, deps: UpdateDeps): void {
  if (!isMoultError(error)) return
  if (!['ERR_STAGE_PREFLIGHT', 'ERR_STAGE_ARCHIVE', 'ERR_STAGE_HOOK'].includes(error.code)) return
  const reason = isHookError(error) ? 'pre-hook' : 'preflight'
  const state = loadState(settings.home, settings.root, () => undefined)
  const at = formatDate(deps.clock())
  const { sha256: digest } = binary
  saveState(settings.home, withQuarantined(state, { sha256: digest, version, reason, at }))
  deps.emit({ kind: 'quarantined', version, sha256: digest, reason })
}

/** The hook that comes before the swap; the first version of a home is no update, and has none. */
function preUpdateOf(
  { home, installTimeoutMs: limitMs }: Settings,
  version: string,
  { hooks }: Binary,
  record: LaunchRecord | undefined,
  { emit, signal }: UpdateDeps,
): ((directory: string) => Promise<void>) | undefined {
  const [path, previous] = [hooks?.pre_update, record?.version]
  if (path === undefined || previous === undefined) return undefined
  const hook = 'pre_update'
  return async (directory) => {
    const startedMs = performance.now()
    await runHook({ home, hook, directory, path: join(directory, path), version, previous, limitMs, signal })
    emit({ kind: 'hook-done', version, hook, ms: Math.round(performance.now() - startedMs) })
  }
}

function isHookError(error: unknown): boolean {
  return isMoultError(error) && error.code === 'ERR_STAGE_HOOK'
}

/** What took too long may be well the next time, so nothing is held against the version. */
function lateError({ installTimeoutMs }: Settings, version: string, cause: unknown): MoultError {
  return new MoultError('ERR_STAGE_IO', `not staged within ${formatDuration(installTimeoutMs)}: ${version}`, {
    hint: 'A slow disk or preflight may need a longer `installTimeout`.',
    cause,
  })
}

/** From here on the new version is what runs next: one atomic, durable replacement of the launch record. */
function swap(settings: Settings, version: string, record: LaunchRecord | undefined, deps: UpdateDeps): UpdateResult {
  const { home, tries } = settings
  if (programOf(home, version) === undefined)
    throw new MoultError('ERR_STAGE_IO', `not runnable after staging: ${version}`)
  // A version on trial has proved nothing: what it would go back to stays the way back.
  const previous = record?.trial === undefined ? record?.version : record.previous
  if (previous === undefined) {
    // The first version on this machine has nothing to go back to, so there is no trial either.
    writeLaunchRecord(home.disk, home.confirmed, { version })
    writeLaunchRecord(home.disk, home.current, { version })
  } else {
    writeLaunchRecord(home.disk, home.current, { version, previous, trial: { started: 0, tries } })
  }
  deps.emit({ kind: 'swapped', version, previous })
  return { kind: 'swapped', version, ...(previous === undefined ? {} : { previous }) }
}
