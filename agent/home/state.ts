// What an updater believes between polls. Two copies are kept: a damaged one is set aside and the other is used; with
// both gone the pinned root stands, and the floors come from the receipts of what is installed (SPEC.md, "State").

import {
  type Floor,
  hashShape,
  isRoleTightened,
  type JsonObject,
  parseDate,
  parseStrictJson,
  readRoot,
  type Root,
  shape,
  statementDigest,
  versionShape,
} from '../../manifests/index.ts'
import { readSmallFile, replaceFile } from './durable-file.ts'
import type { Home } from './home.ts'
import { type InstalledRollout, installedRollouts } from './receipt.ts'

const STATE_FORMAT = 'moult-state/1'
export const QUARANTINE_MAX = 100
export const APPROVALS_MAX = 100
const FAILED_DELTAS_MAX = 32
const STATE_MAX_BYTES = 4 * 1024 * 1024

const CHANNEL = /^[a-z0-9][a-z0-9._-]{0,63}$/
const { array, integer, optional, anything, record, string } = shape
// Open, and of any later format too: a newer updater that was rolled back leaves its state to this one. What this one
// does not know is left out, and is gone with the next write; a floor MUST NOT be.
const object = <F extends shape.Fields>(fields: F) => shape.object(fields, { open: true })
const stateShape = object({
  format: string({ pattern: /^moult-state\/[1-9][0-9]{0,5}$/, says: `${STATE_FORMAT} or a later one` }),
  root: anything(),
  floors: record(CHANNEL, object({ sequence: integer(), digest: string({ max: 64 }) }), { max: 100 }),
  timeFloorMs: integer(),
  rollbackFloor: optional(versionShape),
  quarantine: array(object({ sha256: hashShape, version: versionShape, reason: string(), at: string() }), {
    max: QUARANTINE_MAX,
  }),
  approved: optional(array(object({ sha256: hashShape, version: versionShape, at: string() }), { max: APPROVALS_MAX })),
  failedDeltas: optional(array(hashShape, { max: FAILED_DELTAS_MAX })),
  /** Validator of the cached manifest: its HTTP ETag and the hash of the stored body. */
  cached: optional(object({ etag: optional(string()), sha256: hashShape, url: string({ max: 32 * 1024 }) })),
  fallbackId: optional(string({ max: 64 })),
})

export interface QuarantineEntry {
  readonly sha256: string
  readonly version: string
  readonly reason: string
  /** RFC 3339 date. */
  readonly at: string
}

export interface Approval {
  readonly sha256: string
  readonly version: string
  /** RFC 3339 date. */
  readonly at: string
}

export interface State {
  readonly root: Root
  /** The newest rollout accepted on each channel: every channel counts for itself. */
  readonly floors: Readonly<Record<string, Floor>>
  /** The latest signed date that this machine's clock had reached: the clock is never believed below it. */
  readonly timeFloorMs: number
  readonly rollbackFloor?: string
  readonly quarantine: readonly QuarantineEntry[]
  /** Artifacts that a person lets in. */
  readonly approved?: readonly Approval[]
  /** SHA-256 of deltas that could not be applied here. */
  readonly failedDeltas?: readonly string[]
  readonly cached?: { readonly etag?: string; readonly sha256: string; readonly url: string }
  /** Random agent id for machines that have none of their own. */
  readonly fallbackId?: string
}

/**
 * @param pinned the root that the agent was installed with; it wins over an older stored one
 * @param warn called once for each damaged copy
 * @throws MoultError ERR_STAGE_* when a copy is there and cannot be read: the floors in it are not forgotten for that
 */
export function loadState(home: Home, pinned: Root, warn: (message: string) => void): State {
  for (const path of [home.state, home.stateBackup]) {
    const bytes = readSmallFile(path, STATE_MAX_BYTES)
    if (bytes === undefined) continue
    try {
      return readState(bytes, pinned)
    } catch (error) {
      warn(`a damaged state file was set aside: ${path}: ${(error as Error).message}`)
      try {
        home.disk.rename(path, `${path}.damaged`)
      } catch {
        // A read-only home keeps its damaged file; the other copy serves all the same.
      }
    }
  }
  return { ...freshState(pinned), floors: floorsOf(installedRollouts(home), pinned) }
}

/**
 * With the state lost, what is installed still tells how far its rollouts had come, though not of what content. One from
 * before the pinned root counts no more: its key may have been revoked since, and its number burnt.
 */
function floorsOf(rollouts: readonly InstalledRollout[], pinned: Root): State['floors'] {
  const floors: Record<string, Floor> = {}
  for (const { channel, sequence, root } of rollouts) {
    if (root >= pinned.version && sequence > (floors[channel]?.sequence ?? 0))
      floors[channel] = { sequence, digest: '' }
  }
  return floors
}

function freshState(pinned: Root): State {
  return { root: pinned, floors: {}, timeFloorMs: 0, quarantine: [] }
}

function readState(bytes: Uint8Array, pinned: Root): State {
  const { root: document, format: _, ...fields } = stateShape.check(parseStrictJson(bytes), '')
  const stored = readRoot(document as JsonObject)
  // Pinned anew for another project, or for this one begun again: what was believed of the old one does not bind.
  const isOther = stored.name !== pinned.name || (stored.version === pinned.version && !isSameRoot(stored, pinned))
  if (isOther) return freshState(pinned)
  if (stored.version >= pinned.version) return { ...fields, root: stored }
  // Pinned by hand instead of followed: a rollout key that was revoked on the way voids the floors all the same.
  return { ...fields, root: pinned, floors: isRoleTightened('rollout', stored, pinned) ? {} : fields.floors }
}

function isSameRoot(a: Root, b: Root): boolean {
  return statementDigest(a.document, ['signatures']) === statementDigest(b.document, ['signatures'])
}

/**
 * Writes both copies, one after the other, unless nothing changed.
 * @throws MoultError ERR_STAGE_*
 */
export function saveState(home: Home, state: State): void {
  const { root, ...fields } = state
  const text = `${JSON.stringify({ format: STATE_FORMAT, root: root.document, ...fields }, undefined, 2)}\n`
  const old = [home.state, home.stateBackup].filter(
    (path) => readSmallFile(path, STATE_MAX_BYTES)?.toString('utf8') !== text,
  )
  // What cannot be read back MUST NOT replace what can: the sequence floor would be lost with it.
  if (old.length > 0) readState(Buffer.from(text), root)
  for (const path of old) replaceFile(home.disk, path, text)
}

export function approvedHashes({ approved = [] }: State): ReadonlySet<string> {
  return new Set(approved.map(({ sha256 }) => sha256))
}

/** The state with one more approval; the oldest goes when the list is full. */
export function withApproved(state: State, approval: Approval): State {
  const others = (state.approved ?? []).filter(({ sha256 }) => sha256 !== approval.sha256)
  return { ...state, approved: [...others, approval].slice(-APPROVALS_MAX) }
}

/** The state with one more artifact that is never tried again; the oldest entry goes when the list is full. */
export function withQuarantined(state: State, entry: QuarantineEntry): State {
  const others = state.quarantine.filter(({ sha256 }) => sha256 !== entry.sha256)
  return { ...state, quarantine: [...others, entry].slice(-QUARANTINE_MAX) }
}

/** The state with one more delta that is not fetched again; the oldest goes when the list is full. */
export function withFailedDelta(state: State, sha256: string): State {
  const { failedDeltas = [] } = state
  return failedDeltas.includes(sha256)
    ? state
    : { ...state, failedDeltas: [...failedDeltas, sha256].slice(-FAILED_DELTAS_MAX) }
}

export function withoutFailedDelta(state: State, sha256: string): State {
  const { failedDeltas = [], ...others } = state
  return failedDeltas.includes(sha256)
    ? { ...others, failedDeltas: failedDeltas.filter((other) => other !== sha256) }
    : state
}

/** Reasons that may lie outside the version, with the network or the machine: such an entry holds for a day. */
const PASSING_REASONS = new Set(['no-verified-poll', 'preflight', 'pre-hook', 'damaged'])
const PASSING_MS = 24 * 60 * 60 * 1000

/** Hashes that are not installed now. @param now milliseconds since 1970 */
export function quarantinedAt(state: State, now: number): ReadonlySet<string> {
  const holds = ({ reason, at }: QuarantineEntry): boolean =>
    !PASSING_REASONS.has(reason) || now - (parseDate(at) ?? 0) < PASSING_MS
  return new Set(state.quarantine.filter(holds).map(({ sha256 }) => sha256))
}
