// Other published releases that a rollout names, for the agents that are to have them instead of the one in the manifest.

import {
  isMoultError,
  type JsonObject,
  MANIFEST_MAX_BYTES,
  MoultError,
  parseStrictJson,
  type ReleaseRef,
  RELEASE_UNSIGNED,
  statementDigest,
  verifyRelease,
} from '../../manifests/index.ts'
import { releasePath, urlOf } from '../layout.ts'
import { newestRoot, type Project } from '../open-project.ts'
import type { References } from './rule-draft.ts'

type Place = Pick<Project, 'publisher' | 'roots'>

/**
 * The releases that rules are pinned to. Agents fetch the very files, so each has to verify as it lies there, under the
 * keys of today.
 * @throws MoultError ERR_USAGE_INVALID, ERR_MANIFEST_* or ERR_TRUST_*
 */
export async function pinnedReferences(
  versions: readonly string[],
  place: Place,
  baseUrl: string | undefined,
): Promise<References> {
  const references = new Map<string, ReleaseRef>()
  for (const version of versions) references.set(version, await readPinned(version, place, baseUrl))
  return references
}

/** The reference of a release that agents of today can verify and that has this digest; else undefined. */
export async function usableReference(
  { version, release }: Pick<ReleaseRef, 'version' | 'release'>,
  place: Place,
  baseUrl: string | undefined,
): Promise<ReleaseRef | undefined> {
  try {
    const reference = await readReference(version, place, baseUrl)
    return reference?.release === release ? reference : undefined
  } catch (error) {
    if (isMoultError(error) && /^ERR_(?:MANIFEST|TRUST)_/.test(error.code)) return undefined
    throw error
  }
}

async function readPinned(version: string, place: Place, baseUrl: string | undefined): Promise<ReleaseRef> {
  let reference: ReleaseRef | undefined
  try {
    reference = await readReference(version, place, baseUrl)
  } catch (error) {
    if (!isMoultError(error) || !/^ERR_(?:MANIFEST|TRUST)_/.test(error.code)) throw error
    throw new MoultError(error.code, `agents would refuse ${releasePath(version)}: ${error.message}`, {
      hint: 'It stays as it was published. If its release keys were replaced since, release that code under a new version.',
      details: { ...error.details, version },
      cause: error,
    })
  }
  if (reference !== undefined) return reference
  throw new MoultError('ERR_USAGE_INVALID', `no such release in ${place.publisher.target}: ${version}`, {
    hint: 'A rule can pin agents to a version that was released before.',
    details: { version, target: place.publisher.target },
  })
}

async function readReference(
  version: string,
  { publisher, roots }: Place,
  baseUrl: string | undefined,
): Promise<ReleaseRef | undefined> {
  const path = releasePath(version)
  const bytes = await publisher.read(path, MANIFEST_MAX_BYTES)
  if (bytes === undefined) return undefined
  const release = statementDigest(parseStrictJson(bytes) as JsonObject, RELEASE_UNSIGNED)
  // A place that is its own host knows best where it serves the file.
  const reference = { version, release, url: publisher.urlOf?.(path).href ?? urlOf(path, baseUrl) }
  verifyRelease(bytes, reference, newestRoot({ roots }))
  return reference
}
