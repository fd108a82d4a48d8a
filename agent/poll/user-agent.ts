// What a request says of the agent that makes it. Downloads name the product; a poll is the heartbeat, and says how the
// agent is and what it has lived through, unless the owner of the machine has switched that off.

import {
  type Beacon,
  beaconIdOf,
  type BeaconState,
  compareVersions,
  formatBeacon,
  isVersion,
  type Platform,
} from '../../manifests/index.ts'
import type { LaunchRecord } from '../home/launch-record.ts'
import { quarantinedAt, type State } from '../home/state.ts'
import { MOULT_VERSION } from '../moult-version.ts'
import { bookArrival, untoldEvents } from '../report/beacon-book.ts'
import { type LastCheck, readLastCheck } from '../report/last-check.ts'
import type { Settings } from '../settings/settings.ts'
import { withAgentId } from './agent-id.ts'

export interface Speaker {
  readonly version: string | undefined
  readonly platform: Platform
  /** As it was read: a random id that is not in it yet would be another one at the next poll. */
  readonly state: State
  readonly record: LaunchRecord | undefined
  /** Whether it polls for others, as a controller does: their number and state are not its own. */
  readonly isForOthers: boolean
}

/** The short form: nothing that tells one machine from another of its kind. */
export function userAgentOf(settings: Settings, speaker: Pick<Speaker, 'version' | 'platform'>): string {
  return formatBeacon(shortBeacon(settings, speaker))
}

/**
 * What the next poll says.
 * @param now milliseconds since 1970
 */
export function beaconOf(settings: Settings, speaker: Speaker, now: number): Beacon {
  const { version, state, record, isForOthers } = speaker
  const short = shortBeacon(settings, speaker)
  const id = ownBeaconId(settings, state)
  if (id === undefined || isForOthers) return short
  if (version === undefined) return { ...short, id }
  const check = readLastCheck(settings.home)
  const isOnTrial = record?.trial !== undefined && record.version === version
  // Before its next start a program that was replaced or given up may still ask.
  if (!isOnTrial && (record === undefined || record.version === version)) bookArrival(settings, version, now)
  return {
    ...short,
    id,
    state: isOnTrial ? 'trial' : stateOf(version, check, failedHere(state, now)),
    error: check?.outcome === 'failed' ? check.code?.replace(/^ERR_/, '') : undefined,
    events: untoldEvents(settings),
  }
}

/** Undefined where the beacon is switched off, and before a machine without an id of its own has kept a random one. */
export function ownBeaconId(settings: Settings, state: State): string | undefined {
  if (!settings.beacon) return undefined
  const { name } = settings.root
  if (settings.id !== undefined) return beaconIdOf(name, settings.id)
  const named = withAgentId(name, state)
  return named.state.fallbackId === state.fallbackId ? beaconIdOf(name, named.id) : undefined
}

/**
 * The version of the program that asks. What the record names has not run yet when its first try was not counted, and
 * the program says so itself where it can.
 */
export function speakingVersion(record: LaunchRecord | undefined): string | undefined {
  return record?.trial?.started === 0 ? record.previous : record?.version
}

function stateOf(version: string, check: LastCheck | undefined, failed: readonly string[]): BeaconState {
  const isNewer = (other: string): boolean => isVersion(other) && compareVersions(other, version) > 0
  if (check?.outcome === 'failed') return 'failed'
  if (failed.some(isNewer)) return 'rolled-back'
  return check?.outcome === 'wait' && check.version !== undefined && isNewer(check.version) ? 'waiting' : 'confirmed'
}

/** Versions whose bytes are not tried again now. */
function failedHere(state: State, now: number): string[] {
  const hashes = quarantinedAt(state, now)
  return state.quarantine.filter(({ sha256 }) => hashes.has(sha256)).map(({ version }) => version)
}

function shortBeacon(
  { root, channel }: Settings,
  { version, platform }: Pick<Speaker, 'version' | 'platform'>,
): Beacon {
  return { name: root.name, version, platform, channel, events: [], updater: MOULT_VERSION }
}
