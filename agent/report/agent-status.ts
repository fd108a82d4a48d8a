import { type Dirent, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { formatDate, isVersion } from '../../manifests/index.ts'
import { type AvailableUpdate, readAvailable } from './available.ts'
import { agentState, type AgentState } from './agent-state.ts'
import type { Deployment } from '../settings/deployment.ts'
import { type HistoryEntry, readHistory } from './history.ts'
import type { Home } from '../home/home.ts'
import { type LastCheck, readLastCheck } from './last-check.ts'
import { ownBeaconId } from '../poll/user-agent.ts'
import { installedRecord, type LaunchRecord } from '../home/launch-record.ts'
import { readReceipt } from '../home/receipt.ts'
import { lastManifest } from '../poll/last-manifest.ts'
import { pollIntervalMs } from '../poll/poll-interval.ts'
import type { Settings } from '../settings/settings.ts'
import { loadState, type QuarantineEntry } from '../home/state.ts'
import { type UpdateMode, type UpdateRole, updateRole } from '../settings/update-role.ts'

const HISTORY_TAIL = 5

export interface AgentStatus {
  readonly name: string
  readonly channel: string
  readonly server: string
  readonly state: AgentState
  readonly mode: UpdateMode
  readonly deployment: Deployment
  readonly role: UpdateRole
  readonly record: LaunchRecord | undefined
  /** RFC 3339 date of the last start of a version on trial. */
  readonly trialStarted: string | undefined
  readonly installed: readonly string[]
  readonly quarantine: readonly QuarantineEntry[]
  readonly sequence: number
  /** Between polls, by the settings or by the last manifest that verified. */
  readonly intervalMs: number
  readonly rootVersion: number
  /** By which the logs of the update host know this agent; undefined where the beacon is off, or not known yet. */
  readonly beacon: string | undefined
  readonly lastCheck: LastCheck | undefined
  /** What is offered and not in place yet; `since` is an RFC 3339 date, `image` that of an update left to others. */
  readonly available:
    | { readonly version: string; readonly reason?: string; readonly since: string; readonly image?: string }
    | undefined
  /** What the home takes on the disk: the sum of the sizes of its files. */
  readonly bytes: number
  /** The last lines of the history, newest last. */
  readonly history: readonly HistoryEntry[]
}

/** What is installed and believed, read from home alone. */
export function agentStatus(settings: Settings): AgentStatus {
  const { home, root, channel, url } = settings
  const state = loadState(home, root, () => undefined)
  const record = installedRecord(home)
  const lastCheck = readLastCheck(home)
  return {
    name: root.name,
    channel,
    server: url.href,
    state: agentState(record, lastCheck),
    mode: settings.mode,
    deployment: settings.deployment,
    role: updateRole(settings),
    record,
    trialStarted: trialStarted(home, record),
    installed: readdirSync(home.versions).filter(
      (version) => isVersion(version) && readReceipt(home, version) !== undefined,
    ),
    quarantine: state.quarantine,
    sequence: state.floors[channel]?.sequence ?? 0,
    intervalMs: pollIntervalMs(settings, lastManifest(settings)?.manifest.rollout.poll),
    rootVersion: state.root.version,
    beacon: ownBeaconId(settings, state),
    lastCheck,
    available: availableOf(lastCheck, readAvailable(home.available)),
    bytes: bytesIn(home.path),
    history: readHistory(home, HISTORY_TAIL),
  }
}

/** Every start of a version on trial replaces the launch record. */
function trialStarted(home: Home, record: LaunchRecord | undefined): string | undefined {
  if ((record?.trial?.started ?? 0) === 0) return undefined
  const startedMs = statSync(home.current, { throwIfNoEntry: false })?.mtimeMs
  return startedMs === undefined ? undefined : formatDate(startedMs)
}

function availableOf(check: LastCheck | undefined, told: AvailableUpdate | undefined): AgentStatus['available'] {
  if (check?.version === undefined || (check.outcome !== 'wait' && check.outcome !== 'install')) return undefined
  const { version, reason, since } = check
  const image = told?.version === version ? told.container_image : undefined
  return { version, ...(reason && { reason }), since, ...(image && { image }) }
}

/** What goes away meanwhile, or cannot be read, does not count. */
function bytesIn(directory: string): number {
  let entries: Dirent[] = []
  try {
    entries = readdirSync(directory, { withFileTypes: true })
  } catch {
    return 0
  }
  const sizes = entries.map((entry) => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? bytesIn(path) : (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0)
  })
  return sizes.reduce((sum, size) => sum + size, 0)
}
