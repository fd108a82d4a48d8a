import { MoultError } from './errors.ts'
import { MANIFEST_MAX_BYTES } from './limits.ts'
import { type Release, RELEASE_FORMAT, RELEASE_UNSIGNED, releaseShape } from './manifest.ts'
import type { Root } from './root.ts'
import type { ReleaseRef } from './rule.ts'
import { assertSigned, checkShape, statementDigest } from './statement.ts'
import { parseStrictJson } from './strict-json.ts'
import type { Verified } from './verify-manifest.ts'

/**
 * A release on its own, as `releases/<version>.json` holds it: the very one that a verified rollout names, and signed by
 * the release role for itself. The rollout role alone brings no bytes.
 * @throws MoultError ERR_MANIFEST_* or ERR_TRUST_*
 */
export function verifyRelease(bytes: Uint8Array, ref: ReleaseRef, root: Root): Verified<Release> {
  if (bytes.length > MANIFEST_MAX_BYTES)
    throw new MoultError('ERR_MANIFEST_TOO_LARGE', `larger than ${MANIFEST_MAX_BYTES} bytes: the release`)
  const document = parseStrictJson(bytes)
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new MoultError('ERR_MANIFEST_SCHEMA', 'the release: expected an object')
  if (document['format'] !== RELEASE_FORMAT)
    throw new MoultError('ERR_MANIFEST_FORMAT', `not of format ${RELEASE_FORMAT}: the release`)
  const release = checkShape(releaseShape, document, '')
  assertSigned('release', document, RELEASE_UNSIGNED, root.roles.release)
  if (release.name !== root.name || release.version !== ref.version)
    throw new MoultError('ERR_TRUST_TARGET', `for ${release.name} ${release.version}: the release`)
  if (statementDigest(document, RELEASE_UNSIGNED) !== ref.release)
    throw new MoultError('ERR_TRUST_BINDING', `not the one that the rollout names: release ${ref.version}`)
  return release as Verified<Release>
}
