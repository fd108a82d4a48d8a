// One update, from the poll to the swap. This is the whole way of new bytes onto a machine, one line a step:
//
//   poll -> verify -> decide -> download -> stage -> swap
//
// What follows, in another process: launch (launcher/launch.sh) -> probation -> confirm or roll back (probation.ts).

import {
  type AgentFacts,
  type Binary,
  decide,
  type Decision,
  formatDate,
  isMoultError,
  isRoleTightened,
  type Manifest,
  MoultError,
  NO_FLOOR,
  parseDate,
  platformOf,
  sha256,
  type Verified,
  verifyManifest,
} from '../manifests/index.ts'
import { withAgentId } from './agent-id.ts'
import { downloadArtifact, usableSources } from './download.ts'
import { readIfPossible, replaceFile } from './durable-file.ts'
import type { AgentEvent } from './events.ts'
import { type InstalledRollout, programOf } from './receipt.ts'
import { installedRecord, type LaunchRecord, writeLaunchRecord } from './launch-record.ts'
import { BUILT_AT_MS } from './moult-version.ts'
import { pollManifest, type PolledManifest } from './poll.ts'
import type { Settings } from './settings.ts'
import { stageVersion } from './stage.ts'
import { loadState, quarantinedAt, saveState, type State, withQuarantined } from './state.ts'
import { userAgentOf } from './user-agent.ts'

export interface UpdateDeps {
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly emit: (event: AgentEvent) => void
  readonly signal?: AbortSignal | undefined
}

export interface UpdateOptions {
  /** False: decide and report, but change nothing that runs. */
  readonly apply: boolean
}

export type UpdateResult =
  | { readonly kind: 'checked'; readonly decision: Decision; readonly manifest: Verified<Manifest> }
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
  const userAgent = userAgentOf(settings.root.name, record?.version, settings.channel)

  const polled = await pollManifest(home, state, {
    url: settings.url,
    userAgent,
    secretHeaders: settings.headers,
    stallMs: settings.stallMs,
    signal: deps.signal,
  })
  const manifest = acceptManifest(settings, state, polled, deps)
  const now = timeOf(state, deps)
  const decision = decide(manifest, factsOf(state, record, settings.id ?? id, now), now)
  deps.emit({ kind: 'checked', decision, sequence: manifest.rollout.sequence })
  if (decision.kind !== 'install' || !options.apply) return { kind: 'checked', decision, manifest }

  const { version, binary } = decision
  const bytes = usableSources(binary)[0]?.size ?? binary.size
  deps.emit({ kind: 'update-found', version, running: record?.version ?? 'nothing', reason: decision.reason, bytes })
  const artifact = await downloadArtifact(home, binary, {
    base: settings.url,
    userAgent,
    secretHeaders: settings.headers,
    timeoutMs: settings.downloadTimeoutMs,
    stallMs: settings.stallMs,
    retries: settings.retries,
    rateLimit: settings.rateLimit,
    maxBytes: settings.maxPackageSize,
    signal: deps.signal,
    emit: deps.emit,
  })
  try {
    await stageVersion(home, manifest.release, binary, artifact, {
      preflight: settings.preflight,
      running: record?.version,
      rollout: installedBy(settings, manifest),
      signal: deps.signal,
    })
  } catch (error) {
    refuseForNow(settings, version, binary, error, deps)
    throw error
  }
  deps.emit({ kind: 'staged', version })
  return swap(settings, version, record, deps)
}

/**
 * Verifies what a poll brought, and remembers it. Roots that were accepted are kept even if the manifest is refused.
 * @throws MoultError ERR_MANIFEST_* or ERR_TRUST_*
 */
function acceptManifest(
  settings: Settings,
  state: State,
  polled: PolledManifest,
  deps: UpdateDeps,
): Verified<Manifest> {
  const { home } = settings
  const { channel } = settings
  const trust = { root: state.root, channel, floor: state.floors[channel] ?? NO_FLOOR }
  const verdict = verifyManifest(polled.bytes, trust, timeOf(state, deps))
  const { root } = verdict.trust
  // A revoked rollout key voids what other channels had counted, too.
  const others = isRoleTightened('rollout', state.root, root) ? {} : state.floors
  const floors = { ...others, [channel]: verdict.trust.floor }
  if (verdict.kind === 'refused') {
    if (root !== state.root) saveState(home, { ...state, root, floors })
    throw verdict.error
  }
  const digest = sha256(polled.bytes)
  // Compared with the file, not with what the state says of it: a damaged copy comes back whole.
  if (polled.isFresh && readIfPossible(home.manifest)?.equals(polled.bytes) !== true)
    replaceFile(home.manifest, polled.bytes)
  const cached = { sha256: digest, url: settings.url.href, ...(polled.etag === undefined ? {} : { etag: polled.etag }) }
  // A signed date raises the time floor only as far as the clock agrees: one dated in the future by a broken or stolen
  // key would else make every later statement look expired.
  const issued = Math.min(parseDate(verdict.manifest.rollout.issued) ?? 0, deps.clock())
  saveState(home, { ...state, root, floors, cached, timeFloorMs: Math.max(state.timeFloorMs, issued) })
  return verdict.manifest
}

function installedBy(settings: Settings, manifest: Manifest): InstalledRollout {
  const { root } = loadState(settings.home, settings.root, () => undefined)
  return { channel: settings.channel, sequence: manifest.rollout.sequence, root: root.version }
}

/** What did not start here at its first trial is not downloaded again at every poll. */
function refuseForNow(settings: Settings, version: string, binary: Binary, error: unknown, deps: UpdateDeps): void {
  if (!isMoultError(error) || (error.code !== 'ERR_STAGE_PREFLIGHT' && error.code !== 'ERR_STAGE_ARCHIVE')) return
  const state = loadState(settings.home, settings.root, () => undefined)
  const at = formatDate(deps.clock())
  saveState(settings.home, withQuarantined(state, { sha256: binary.sha256, version, reason: 'preflight', at }))
}

/** The time, never earlier than a date that is known to be past. */
function timeOf(state: State, deps: UpdateDeps): number {
  return Math.max(deps.clock(), state.timeFloorMs, BUILT_AT_MS)
}

function factsOf(state: State, record: LaunchRecord | undefined, id: string, now: number): AgentFacts {
  return {
    id,
    platform: platformOf(process.platform, process.arch),
    running: record?.version,
    quarantine: quarantinedAt(state, now),
    rollbackFloor: state.rollbackFloor,
  }
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
    writeLaunchRecord(home.confirmed, { version })
    writeLaunchRecord(home.current, { version })
  } else {
    writeLaunchRecord(home.current, { version, previous, trial: { started: 0, tries } })
  }
  deps.emit({ kind: 'swapped', version, previous })
  return { kind: 'swapped', version, ...(previous === undefined ? {} : { previous }) }
}
