import { dirname, join, resolve } from 'node:path'

import {
  assertSigned,
  checkShape,
  isMoultError,
  type JsonObject,
  MANIFEST_MAX_BYTES,
  MoultError,
  parseStrictJson,
  type Release,
  RELEASE_UNSIGNED,
  releaseShape,
  statementDigest,
} from '../manifests/index.ts'
import { documentBytes } from './document-bytes.ts'
import { releasePath } from './layout.ts'
import type { Live } from './live.ts'
import { DEFAULT_ROOT_FILE, newestRoot, type Project } from './open-project.ts'
import { assertSignedOnce } from './roots/release-signatures.ts'
import { findResigned, resignedName } from './roots/sign-release.ts'

/** A release document as it was signed once. */
export interface Released {
  readonly document: JsonObject
  readonly release: Release
  /** The document's own file, byte for byte. */
  readonly bytes: Uint8Array
}

/**
 * The published release of a version, verified by the release role; undefined when there is none. If the file was lost
 * while the version is live, it is had back from the live manifest, which holds it and was verified when it was read.
 * @throws MoultError ERR_MANIFEST_* or ERR_TRUST_*
 */
export async function readReleased(
  version: string,
  live: Live | undefined,
  project: Omit<Project, 'signers' | 'platforms'>,
): Promise<Released | undefined> {
  const bytes = await project.publisher.read(releasePath(version), MANIFEST_MAX_BYTES)
  const inLive = live?.manifest.release.version === version ? releasedInLive(live) : undefined
  if (bytes === undefined) return inLive
  // Published files never change, so this one keeps the signatures of keys that a later root revoked. Those in the live
  // manifest are by the present keys, over the same statement.
  if (inLive !== undefined && digestOf(bytes) === live?.manifest.releaseDigest) return { ...inLive, bytes }
  try {
    return parseReleased(bytes, version, project)
  } catch (error) {
    const anew = await readSignedAnew(version, bytes, project)
    if (anew !== undefined) return { ...parseReleased(anew, version, project), bytes }
    if (!isMoultError(error)) throw error
    const hint = `If its release keys were replaced since, sign it anew: \`moult root sign-release <${releasePath(version)}>\`.`
    throw new MoultError(error.code, error.message, { hint, details: error.details, cause: error })
  }
}

/** The same release with signatures that were made after a rotation, in the folder of the roots. */
async function readSignedAnew(
  version: string,
  bytes: Uint8Array,
  { config, dir }: Pick<Project, 'config' | 'dir'>,
): Promise<Uint8Array | undefined> {
  const digest = digestOf(bytes)
  if (digest === undefined) return undefined
  const folder = dirname(resolve(dir, config.root ?? DEFAULT_ROOT_FILE))
  const document = await findResigned(join(folder, resignedName(version)), digest)
  return document === undefined ? undefined : documentBytes(document)
}

/** @throws MoultError ERR_MANIFEST_* or ERR_TRUST_*: not what the newest root's release keys signed */
export function parseReleased(bytes: Uint8Array, version: string, project: Pick<Project, 'roots' | 'name'>): Released {
  return readDocument(bytes, version, project.name, (document) => {
    assertSigned('release', document, RELEASE_UNSIGNED, newestRoot(project).roles.release)
  })
}

/** @throws MoultError ERR_MANIFEST_* or ERR_TRUST_*: not what release keys of any of the project's roots signed */
export function parseOnceReleased(
  bytes: Uint8Array,
  version: string,
  { roots, name }: Pick<Project, 'roots' | 'name'>,
): Released {
  return readDocument(bytes, version, name, (document) => assertSignedOnce(document, roots))
}

function readDocument(
  bytes: Uint8Array,
  version: string,
  name: string,
  assertTrusted: (document: JsonObject) => void,
): Released {
  const document = parseStrictJson(bytes) as JsonObject
  const release = checkShape(releaseShape, document, '')
  assertTrusted(document)
  // Signed, but another: a host can give any file that was ever signed under any name.
  if (release.name !== name || release.version !== version) {
    throw new MoultError('ERR_TRUST_TARGET', `for ${release.name} ${release.version}: ${releasePath(version)}`, {
      details: { name: release.name, version: release.version },
    })
  }
  return { document, bytes, release }
}

function digestOf(bytes: Uint8Array): string | undefined {
  try {
    return statementDigest(parseStrictJson(bytes) as JsonObject, RELEASE_UNSIGNED)
  } catch {
    // What is wrong with it is said by who needs it.
    return undefined
  }
}

function releasedInLive({ bytes, manifest }: Live): Released {
  const { rollout: _rollout, trust: _trust, ...document } = parseStrictJson(bytes) as JsonObject
  return { document, bytes: documentBytes(document), release: manifest.release }
}
