import {
  isMoultError,
  isVersion,
  MANIFEST_MAX_BYTES,
  type Release,
  RELEASE_UNSIGNED,
  statementDigest,
} from '../../manifests/index.ts'
import { mapBounded } from '../map-bounded.ts'
import type { Project } from '../open-project.ts'
import type { PublishedFile } from '../publishers/publisher.ts'
import { parseOnceReleased } from '../released.ts'
import type { Surroundings } from '../surroundings.ts'

export type FoundRelease =
  | { readonly kind: 'known'; readonly version: string; readonly release: Release; readonly digest: string }
  /** There is a document, and what it is cannot be said: neither it nor its files may go. */
  | { readonly kind: 'unknown'; readonly version: string; readonly reason: string }

export type KnownRelease = Extract<FoundRelease, { kind: 'known' }>

const READS_AT_ONCE = 8

/** The version whose release document this path would be; undefined for other paths. */
export function versionOfDocument(path: string): string | undefined {
  const version = /^releases\/([^/]+)\.json$/.exec(path)?.[1]
  return version !== undefined && isVersion(version) ? version : undefined
}

/**
 * Every release document, verified by the release role of any root of the project: old ones are signed by keys that a
 * later root revoked.
 * @throws MoultError ERR_PUBLISH_FAILED when the place cannot be read
 */
export async function readReleases(
  files: readonly PublishedFile[],
  project: Pick<Project, 'publisher' | 'roots' | 'name'>,
  around: Surroundings,
): Promise<FoundRelease[]> {
  const documents = files.filter(({ path }) => versionOfDocument(path) !== undefined)
  return mapBounded(documents, READS_AT_ONCE, around, async ({ path, size }) => {
    const version = versionOfDocument(path) ?? ''
    if (size > MANIFEST_MAX_BYTES) return { kind: 'unknown', version, reason: 'too large' }
    const bytes = await project.publisher.read(path, MANIFEST_MAX_BYTES)
    if (bytes === undefined) return { kind: 'unknown', version, reason: 'listed, and cannot be read' }
    try {
      const { document, release } = parseOnceReleased(bytes, version, project)
      return { kind: 'known', version, release, digest: statementDigest(document, RELEASE_UNSIGNED) }
    } catch (error) {
      if (!isMoultError(error)) throw error
      return { kind: 'unknown', version, reason: error.message }
    }
  })
}
