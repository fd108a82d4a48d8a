import {
  isRoleTightened,
  type Manifest,
  NO_FLOOR,
  parseDate,
  sha256,
  type Verified,
  verifyManifest,
} from '../../manifests/index.ts'
import { readIfPossible, replaceFile } from '../home/durable-file.ts'
import { saveState, type State } from '../home/state.ts'
import { BUILT_AT_MS } from '../moult-version.ts'
import type { Settings } from '../settings/settings.ts'
import type { PolledManifest } from './poll.ts'

/**
 * Verifies what a poll brought, and remembers it. Roots that were accepted are kept even if the manifest is refused.
 * @param clock milliseconds since 1970
 * @throws MoultError ERR_MANIFEST_* or ERR_TRUST_*
 */
export function acceptManifest(
  settings: Settings,
  state: State,
  polled: PolledManifest,
  clock: () => number,
): Verified<Manifest> {
  const { home } = settings
  const { channel } = settings
  const trust = { root: state.root, channel, floor: state.floors[channel] ?? NO_FLOOR }
  const verdict = verifyManifest(polled.bytes, trust, timeOf(state, clock()))
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
    replaceFile(home.disk, home.manifest, polled.bytes)
  const cached = { sha256: digest, url: settings.url.href, ...(polled.etag === undefined ? {} : { etag: polled.etag }) }
  // A signed date raises the time floor only as far as the clock agrees: one dated in the future by a broken or stolen
  // key would else make every later statement look expired.
  const issued = Math.min(parseDate(verdict.manifest.rollout.issued) ?? 0, clock())
  saveState(home, { ...state, root, floors, cached, timeFloorMs: Math.max(state.timeFloorMs, issued) })
  return verdict.manifest
}

/** The time, never earlier than a date that is known to be past. @param nowMs milliseconds since 1970 by the machine's clock */
export function timeOf(state: State, nowMs: number): number {
  return Math.max(nowMs, state.timeFloorMs, BUILT_AT_MS)
}
