// Signatures of a release after its keys were rotated. The release statement stays what it was, bit for bit, and so does
// `releases/<version>.json`; only the manifest that carries the statement gets signatures of the present keys.

import {
  assertSigned,
  isMoultError,
  type JsonObject,
  type JsonValue,
  type KeyId,
  RELEASE_UNSIGNED,
  type Root,
  type SigningRole,
} from '../../manifests/index.ts'

/** The document with those of the offered signatures that count for the role, one a key. */
export function withSignatures(document: JsonObject, offered: readonly JsonValue[], role: SigningRole): JsonObject {
  const found = new Map<KeyId, JsonValue>()
  for (const entry of offered) {
    for (const [id, key] of role.keys)
      if (!found.has(id) && isGood({ ...document, signatures: [entry] }, { threshold: 1, keys: new Map([[id, key]]) }))
        found.set(id, entry)
  }
  return { ...document, signatures: [...found.values()] }
}

export function isGood(document: JsonObject, role: SigningRole): boolean {
  try {
    assertSigned('release', document, RELEASE_UNSIGNED, role)
    return true
  } catch (error) {
    if (isMoultError(error)) return false
    throw error
  }
}

/**
 * A release document never changes, so it may be signed by keys that a later root revoked. Any of the roots will do.
 * @throws MoultError ERR_TRUST_*: what the newest root has against it
 */
export function assertSignedOnce(document: JsonObject, roots: readonly [Root, ...Root[]]): void {
  if (roots.some(({ roles }) => isGood(document, roles.release))) return
  assertSigned('release', document, RELEASE_UNSIGNED, (roots.at(-1) ?? roots[0]).roles.release)
}

export function signatureEntries(document: JsonObject): readonly JsonValue[] {
  const { signatures } = document
  return Array.isArray(signatures) ? signatures : []
}

/** The release statement of a manifest or of a release document, with its signatures. */
export function releaseOf({ rollout: _rollout, trust: _trust, ...document }: JsonObject): JsonObject {
  return document
}
