// What the three signed statements (root, release, rollout) have in common.

import { sha256, signedBytes } from './canonical-json.ts'
import { parseDate } from './dates.ts'
import { verifySignature } from './ed25519.ts'
import { MoultError } from './errors.ts'
import { decodeSignature, HEX_SHA256, type KeyId } from './keys.ts'
import { SIGNATURE_TRIES_PER_KEY_MAX, SIGNATURES_MAX } from './limits.ts'
import { anything, array, object, parsed, type Shape, ShapeMismatch, string } from './shape.ts'
import type { JsonObject } from './strict-json.ts'
import { isVersion } from './versions.ts'

export interface Signature {
  readonly key: KeyId
  /** Strict base64 of 64 bytes; anything else is no signature and does not count. */
  readonly sig: string
}

/** The keys that may sign for a role, and how many of them must. */
export interface SigningRole {
  readonly threshold: number
  /** Public keys by key id; the ids were checked against the keys. */
  readonly keys: ReadonlyMap<KeyId, Uint8Array>
}

export const nameShape: Shape<string> = string({
  pattern: /^[a-z0-9][a-z0-9._-]{0,63}$/,
  says: 'a name of a-z, 0-9, dot, dash and underscore',
})
export const versionShape: Shape<string> = parsed(
  (text) => (isVersion(text) ? text : undefined),
  'a semantic version such as 1.4.2',
)
export const hashShape: Shape<string> = string({ pattern: HEX_SHA256, says: '64 lower-case hexadecimal digits' })
/** Absolute, or relative to the manifest. What an agent may follow is decided where it is fetched. */
export const urlShape = string({
  pattern: /^[!-[\]-~]+$/,
  says: 'a URL of printable ASCII without spaces or backslashes',
})
/** A date stays text, so that what is printed is what was signed. */
export const dateShape: Shape<string> = parsed(
  (text) => (parseDate(text) === undefined ? undefined : text),
  'an RFC 3339 date in UTC such as 2026-11-21T02:00:00Z',
)
const signaturesShape = array(anything(), { max: SIGNATURES_MAX })
const signatureShape: Shape<Signature> = object({ key: hashShape, sig: string({ max: 128 }) }, { open: true })

/**
 * Checks that enough distinct keys of each role have signed (SPEC 4). A broken or foreign signature beside a good one is
 * passed over, so that a key can be added or retired without breaking anyone; of each key two signatures are tried, once
 * for all roles together.
 *
 * @param unsigned members of the document that its signatures do not cover
 * @throws MoultError ERR_TRUST_UNSIGNED, ERR_TRUST_SIGNATURE or ERR_TRUST_THRESHOLD
 */
export function assertSigned(
  what: string,
  document: JsonObject,
  unsigned: readonly string[],
  ...roles: readonly SigningRole[]
): void {
  const signatures = readSignatures(what, document)
  if (signatures.length === 0) throw new MoultError('ERR_TRUST_UNSIGNED', `not signed: the ${what}`)
  const valid = validSigners(signatures, signedBytes(document, unsigned), roles)
  for (const { threshold, keys: own } of roles) {
    const count = valid.filter((id) => own.has(id)).length
    if (count >= threshold) continue
    const details = { valid: count, threshold, offered: signatures.map(({ key }) => key) }
    if (count === 0) {
      throw new MoultError('ERR_TRUST_SIGNATURE', `no valid signature by a key of the role: the ${what}`, { details })
    }
    throw new MoultError('ERR_TRUST_THRESHOLD', `signed by ${count} of ${threshold} keys: the ${what}`, { details })
  }
}

/** The keys of a role by which a document is signed: those that `assertSigned` counts. */
export function signersOf(document: JsonObject, unsigned: readonly string[], role: SigningRole): KeyId[] {
  return validSigners(readSignatures('document', document), signedBytes(document, unsigned), [role])
}

function validSigners(signatures: readonly Signature[], message: Uint8Array, roles: readonly SigningRole[]): KeyId[] {
  const valid = new Set<KeyId>()
  const tries = new Map<KeyId, number>()
  for (const { key, sig } of signatures) {
    // A key id is the hash of its key, so the same id means the same key in every role.
    const publicKey = roles.map(({ keys }) => keys.get(key)).find((found) => found !== undefined)
    const bytes = decodeSignature(sig)
    if (publicKey === undefined || bytes === undefined || valid.has(key)) continue
    const tried = tries.get(key) ?? 0
    if (tried === SIGNATURE_TRIES_PER_KEY_MAX) continue
    tries.set(key, tried + 1)
    if (verifySignature(message, bytes, publicKey)) valid.add(key)
  }
  return [...valid]
}

function readSignatures(what: string, document: JsonObject): Signature[] {
  if (!Object.hasOwn(document, 'signatures')) return []
  try {
    return signaturesShape.check(document['signatures'], `${what}.signatures`).flatMap(readSignature)
  } catch (cause) {
    throw new MoultError('ERR_TRUST_UNSIGNED', `no usable signatures: the ${what}`, { cause })
  }
}

/** None for an entry of another form (an algorithm of later days, rubbish): it MUST NOT spoil the good ones beside it. */
function readSignature(entry: unknown): Signature[] {
  try {
    return [signatureShape.check(entry, '')]
  } catch (error) {
    if (error instanceof ShapeMismatch) return []
    throw error
  }
}

/** Runs a shape over part of a signed document. @throws MoultError ERR_MANIFEST_SCHEMA */
export function checkShape<T>(shape: Shape<T>, value: unknown, path: string): T {
  try {
    return shape.check(value, path)
  } catch (cause) {
    if (!(cause instanceof ShapeMismatch)) throw cause
    throw new MoultError('ERR_MANIFEST_SCHEMA', cause.message, { details: cause.details, cause })
  }
}

/** SHA-256 of the bytes that a statement's signatures cover: the statement's identity, whoever signed it. */
export function statementDigest(document: JsonObject, unsigned: readonly string[]): string {
  return sha256(signedBytes(document, unsigned))
}
