// Who offered what to whom, and when: every manifest of a channel, back from the live one, verified as an agent did that
// knew the pinned root only, and as one did that had seen the manifest before it.

import {
  isMoultError,
  type JsonObject,
  type KeyId,
  MoultError,
  NO_FLOOR,
  parseDate,
  RELEASE_UNSIGNED,
  type Root,
  ROLLOUT_UNSIGNED,
  signersOf,
  type Trust,
  verifyManifest,
} from '../../manifests/index.ts'
import { writeSeen } from '../known-floor.ts'
import { type PublishedSource, readSmall } from '../published-source.ts'
import { type ReleaseDeps, step, type Surroundings, surroundingsOf } from '../surroundings.ts'
import { readLiveAsAgents, type VerifyOptions } from '../verify-published.ts'
import { compareManifests, type HistoryEvent } from './compare-manifests.ts'
import { type PastManifest, readBefore, readPast } from './walk-history.ts'

export interface HistoryOptions extends VerifyOptions {
  /** How many manifests are told of, the newest first; default: all. */
  readonly limit?: number | undefined
}

export interface HistoryEntry {
  /** SHA-256 of the manifest file, which is its name in `history/`. */
  readonly manifest: string
  readonly sequence: number
  readonly issued: string
  readonly expires: string
  readonly version: string
  /** Version of the newest root. */
  readonly root: number
  /** What happened; empty where the manifest before is not to be had, so that nobody can tell. */
  readonly events: readonly HistoryEvent[]
  /** The keys whose signatures count. */
  readonly signed: { readonly release: readonly KeyId[]; readonly rollout: readonly KeyId[] }
}

export interface HistoryResult {
  readonly name: string
  readonly channel: string
  /** Newest first; every one of them verified. */
  readonly entries: readonly HistoryEntry[]
  readonly end:
    /** The last entry is the first manifest of the channel. */
    | { readonly kind: 'first' }
    /** As many as were asked for. */
    | { readonly kind: 'limit' }
    /** The one before the last entry is missing, is another, or was not signed as it had to be. */
    | { readonly kind: 'broken'; readonly error: MoultError }
}

/**
 * A broken chain is a result, because what is newer than the break is sound and worth knowing.
 * @throws MoultError what the live manifest is refused for, ERR_NETWORK_*, ERR_MANIFEST_* or ERR_TRUST_*
 */
export async function verifyHistory(options: HistoryOptions, deps: ReleaseDeps = {}): Promise<HistoryResult> {
  const around = surroundingsOf(deps)
  const { source, bytes, manifest, trust } = await readLiveAsAgents(options, around)
  const { name } = manifest.release
  const { channel } = trust
  const { limit = Number.POSITIVE_INFINITY } = options
  const pinned: Trust = { root: options.root, channel, floor: NO_FLOOR }
  const entries: HistoryEntry[] = []
  let one = verifyPast(readPast(bytes), pinned)
  for (;;) {
    const before = await verifiedBefore(one, source, pinned, around)
    if (isMoultError(before))
      return { name, channel, entries: [...entries, entryOf(one, [])], end: { kind: 'broken', error: before } }
    entries.push(entryOf(one, compareManifests(before, one)))
    if (before !== undefined && entries.length < limit) {
      one = before
      continue
    }
    if (options.remember !== undefined) await writeSeen(options.remember, trust)
    return { name, channel, entries, end: { kind: before === undefined ? 'first' : 'limit' } }
  }
}

interface VerifiedPast extends PastManifest {
  readonly root: number
  readonly trust: Trust
  readonly roles: Root['roles']
}

/** As of the moment it was issued: that it has expired since is what became of nearly all of them. */
function verifyPast(past: PastManifest, believed: Trust): VerifiedPast {
  const verdict = verifyManifest(past.bytes, believed, parseDate(past.rollout.issued) ?? 0)
  if (verdict.kind === 'refused') throw verdict.error
  const { trust } = verdict
  return { ...past, trust, root: trust.root.version, roles: trust.root.roles }
}

/** An error is what is wrong with the chain at this point. */
async function verifiedBefore(
  one: VerifiedPast,
  source: PublishedSource,
  pinned: Trust,
  around: Surroundings,
): Promise<VerifiedPast | undefined | MoultError> {
  const read = (path: string): Promise<Uint8Array> =>
    step(around, 'read back', path, () => readSmall(source, source.locate(path), around.signal))
  try {
    const past = await readBefore(one, read)
    if (past === undefined) return undefined
    const before = verifyPast(past, pinned)
    // An agent that had seen the one before took this one: its sequence is higher, and its roots go on from there.
    verifyPast(one, before.trust)
    return before
  } catch (error) {
    around.signal.throwIfAborted()
    if (!isMoultError(error) || error.code === 'ERR_BUG') throw error
    return withPlace(error, one)
  }
}

function withPlace(error: MoultError, { rollout }: VerifiedPast): MoultError {
  const { code, message } = error
  const { channel, sequence, previous } = rollout
  const isMissing = code === 'ERR_NETWORK_STATUS'
  const reason = isMissing ? `the history begins at sequence ${sequence}` : `broken before sequence ${sequence}`
  const hint = isMissing
    ? 'A publisher of before there was a history left none: then --limit looks at fewer. Else somebody took it away.'
    : 'What is newer is sound. Find out who can write to this place.'
  return new MoultError(code, `${reason} (${message}): ${channel}`, {
    hint,
    details: { ...error.details, sequence, previous },
    cause: error,
  })
}

function entryOf(one: VerifiedPast, events: readonly HistoryEvent[]): HistoryEntry {
  const { document, release, rollout, roles } = one
  return {
    manifest: one.sha256,
    sequence: rollout.sequence,
    issued: rollout.issued,
    expires: rollout.expires,
    version: release.version,
    root: one.root,
    events,
    signed: {
      release: signersOf(document, RELEASE_UNSIGNED, roles.release),
      rollout: signersOf(document['rollout'] as JsonObject, ROLLOUT_UNSIGNED, roles.rollout),
    },
  }
}
