// All trust rules for a manifest, over bytes, in the order of the numbered table of SPEC.md 4, "Order of checks". Nothing
// here fetches, stores or asks the time.

import { parseDate } from './dates.ts'
import { MoultError } from './errors.ts'
import { ISSUED_AHEAD_MAX_MS, MANIFEST_MAX_BYTES, ROLLOUT_LIFETIME_MAX_MS } from './limits.ts'
import {
  type Manifest,
  RELEASE_FORMAT,
  RELEASE_UNSIGNED,
  releaseShape,
  ROLLOUT_FORMAT,
  ROLLOUT_UNSIGNED,
  rolloutShape,
} from './manifest.ts'
import { acceptRoots, type Root } from './root.ts'
import { assertSigned, checkShape, statementDigest } from './statement.ts'
import { type JsonObject, type JsonValue, parseStrictJson } from './strict-json.ts'

declare const verified: unique symbol
/** A value that passed every trust check; only `verifyManifest` makes one, so nothing downstream takes less. */
export type Verified<T> = T & { readonly [verified]: true }

/** What an agent believes before it looks at a manifest. */
export interface Trust {
  readonly root: Root
  /** The channel that the agent follows. */
  readonly channel: string
  /** The newest rollout statement accepted so far; sequence 0 before the first. */
  readonly floor: Floor
}

export interface Floor {
  readonly sequence: number
  /** The rollout digest that was accepted at this sequence; empty when that is not known any more. */
  readonly digest: string
}

export const NO_FLOOR: Floor = { sequence: 0, digest: '' }

/** Roots that were accepted stay accepted, whatever became of the manifest that carried them. */
export type Verdict =
  | { readonly kind: 'accepted'; readonly manifest: Verified<Manifest>; readonly trust: Trust }
  | { readonly kind: 'refused'; readonly error: MoultError; readonly trust: Trust }

/**
 * @param bytes the body of `version.json` as it was received
 * @param now milliseconds since 1970, already raised to the caller's time floor
 */
export function verifyManifest(bytes: Uint8Array, trust: Trust, now: number): Verdict {
  let reached = trust
  try {
    // SPEC.md 8, "Limits of the format": check 1
    if (bytes.length > MANIFEST_MAX_BYTES) {
      throw new MoultError('ERR_MANIFEST_TOO_LARGE', `larger than ${MANIFEST_MAX_BYTES} bytes: the manifest`)
    }
    // SPEC.md 3, "Bytes": checks 2 to 4
    const document = readDocument(bytes)
    // SPEC.md 3, "Release" and "Rollout": check 5
    const manifest = readManifest(document)
    // SPEC.md 4, "Following roots": check 6
    const { root, refused, isRolloutRevoked } = acceptRoots(trust.root, readRootChain(document))
    // A thief of a rollout key may have burnt all sequence numbers up to the largest integer: its revocation voids them.
    reached = { ...trust, root, floor: isRolloutRevoked ? NO_FLOOR : trust.floor }
    if (refused !== undefined) throw refused
    // SPEC.md 4, "Root documents": check 7
    if (root.expiresMs <= now) {
      throw new MoultError('ERR_TRUST_ROOT_EXPIRED', `expired: root ${root.version}`, {
        details: { version: root.version },
      })
    }
    // SPEC.md 4, "Signatures and thresholds": checks 8 and 9
    assertSigned('release', document, RELEASE_UNSIGNED, root.roles.release)
    assertSigned('rollout', document['rollout'] as JsonObject, ROLLOUT_UNSIGNED, root.roles.rollout)
    // SPEC.md 3, "Rollout": checks 10 and 11
    assertTarget(manifest, reached)
    // SPEC.md 4, "Sequence": checks 12 and 13
    assertSequence(manifest, reached.floor)
    // SPEC.md 4, "Time": checks 14 and 15
    assertDates(manifest, now)
    const floor = { sequence: manifest.rollout.sequence, digest: manifest.rolloutDigest }
    return { kind: 'accepted', manifest: manifest as Verified<Manifest>, trust: { ...reached, floor } }
  } catch (error) {
    if (error instanceof MoultError) return { kind: 'refused', error, trust: reached }
    // Fail closed: a defect in a check refuses the manifest like a failed check does.
    return {
      kind: 'refused',
      error: new MoultError('ERR_BUG', 'a trust check broke', { cause: error }),
      trust: reached,
    }
  }
}

/** As of the moment when it was issued: what a manifest was, and goes on to say besides what to install, does not expire. */
export function verifyAsIssued(bytes: Uint8Array, trust: Trust): Verdict {
  return verifyManifest(bytes, trust, issuedMs(bytes) ?? 0)
}

/** Read before anything is verified: a wrong one is refused with the rest. */
function issuedMs(bytes: Uint8Array): number | undefined {
  try {
    const issued = (parseStrictJson(bytes) as { rollout?: { issued?: unknown } } | null)?.rollout?.issued
    return typeof issued === 'string' ? parseDate(issued) : undefined
  } catch {
    // The verification that follows says precisely what is wrong.
    return undefined
  }
}

function readDocument(bytes: Uint8Array): JsonObject {
  const document = parseStrictJson(bytes)
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new MoultError('ERR_MANIFEST_SCHEMA', 'the document: expected an object')
  }
  assertFormat('manifest', document, RELEASE_FORMAT)
  const rollout = document['rollout']
  if (typeof rollout === 'object' && rollout !== null && !Array.isArray(rollout)) {
    assertFormat('rollout', rollout, ROLLOUT_FORMAT)
  }
  return document
}

function assertFormat(what: string, document: JsonObject, format: string): void {
  if (document['format'] !== format) {
    throw new MoultError('ERR_MANIFEST_FORMAT', `not of format ${format}: the ${what}`)
  }
}

function readManifest(document: JsonObject): Manifest {
  const release = checkShape(releaseShape, document, '')
  const rollout = checkShape(rolloutShape, document['rollout'], 'rollout')
  return {
    release,
    rollout,
    releaseDigest: statementDigest(document, RELEASE_UNSIGNED),
    rolloutDigest: statementDigest(document['rollout'] as JsonObject, ROLLOUT_UNSIGNED),
  }
}

function readRootChain(document: JsonObject): readonly JsonValue[] {
  const chain = document['trust'] === undefined ? [] : document['trust']
  if (!Array.isArray(chain)) throw new MoultError('ERR_MANIFEST_SCHEMA', 'trust: expected an array')
  return chain
}

function assertTarget({ release, rollout, releaseDigest }: Manifest, { root, channel }: Trust): void {
  if (release.name !== root.name || rollout.name !== root.name) {
    throw new MoultError('ERR_TRUST_TARGET', `for another name than ${root.name}: the manifest`)
  }
  if (rollout.channel !== channel) {
    throw new MoultError('ERR_TRUST_TARGET', `for channel ${rollout.channel} instead of ${channel}: the manifest`)
  }
  if (rollout.release !== releaseDigest) {
    throw new MoultError('ERR_TRUST_BINDING', 'bound to another release: the rollout statement')
  }
}

function assertSequence({ rollout, rolloutDigest }: Manifest, floor: Floor): void {
  const details = { sequence: rollout.sequence, floor: floor.sequence }
  if (rollout.sequence < floor.sequence) {
    throw new MoultError('ERR_TRUST_REPLAY', `sequence ${rollout.sequence} is behind ${floor.sequence}`, { details })
  }
  if (rollout.sequence === floor.sequence && floor.digest !== '' && rolloutDigest !== floor.digest) {
    throw new MoultError('ERR_TRUST_EQUIVOCATION', `sequence ${rollout.sequence} with other content`, { details })
  }
}

function assertDates({ rollout }: Manifest, now: number): void {
  const issued = parseDate(rollout.issued) ?? Number.NaN
  const expires = parseDate(rollout.expires) ?? Number.NaN
  if (!(expires > issued && expires - issued <= ROLLOUT_LIFETIME_MAX_MS && issued <= now + ISSUED_AHEAD_MAX_MS)) {
    const details = { issued: rollout.issued, expires: rollout.expires }
    throw new MoultError('ERR_TRUST_DATE', 'implausible dates: the rollout statement', { details })
  }
  if (expires <= now) {
    const details = { expires: rollout.expires }
    const hint = "The publisher must run `moult refresh`; if it did, check this machine's clock."
    throw new MoultError('ERR_TRUST_EXPIRED', `expired at ${rollout.expires}: the rollout statement`, { details, hint })
  }
}
