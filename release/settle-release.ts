// Which release document this run publishes. `releases/<version>.json` is the commit point of a version:
//
// - while it does not exist, artifacts of the version may lie about from a run that was killed; they are replaced;
// - once it exists, the version is those bytes for ever. A run that was killed before its manifest went live is
//   finished with that document, also when this run's build came out different (not every compiler is reproducible);
// - when the version is live, other bytes are an error.

import {
  assertSigned,
  checkShape,
  type JsonObject,
  MANIFEST_MAX_BYTES,
  MoultError,
  parseStrictJson,
  type Release,
  RELEASE_UNSIGNED,
  releaseShape,
} from '../manifests/index.ts'
import { documentBytes } from './document-bytes.ts'
import { releasePath } from './layout.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import type { Artifact } from './stage-artifacts.ts'
import type { Surroundings } from './surroundings.ts'

export interface SettledRelease {
  readonly document: JsonObject
  readonly release: Release
  /** The document's own file, byte for byte. */
  readonly bytes: Uint8Array
  readonly isLive: boolean
}

/** @throws MoultError ERR_PUBLISH_EXISTS */
export async function settleRelease(
  fresh: JsonObject,
  artifacts: readonly Artifact[],
  live: Live | undefined,
  project: Project,
  around: Surroundings,
): Promise<SettledRelease> {
  const freshRelease = checkShape(releaseShape, fresh, '')
  const { version } = freshRelease
  const isLive = live?.manifest.release.version === version
  const published = await readRelease(version, project)
  if (published === undefined) return { document: fresh, release: freshRelease, bytes: documentBytes(fresh), isLive }

  const { document, bytes, release } = published
  const isSame = isSameBuild(release, artifacts)
  if (isLive && !isSame) {
    throw new MoultError('ERR_PUBLISH_EXISTS', `already published with other bytes: ${version}`, {
      hint: 'A published version stays as it is; release this build under a new version.',
      details: { version, released: release.release_date },
    })
  }
  if (!isLive) {
    const text = `${version} was signed and uploaded on ${release.release_date}; it goes live as it was signed then.`
    around.on({ kind: 'note', text: isSame ? text : `${text} The build just made differs and is not used.` })
  }
  return { document, release, bytes, isLive }
}

async function readRelease(
  version: string,
  { publisher, roots }: Project,
): Promise<{ document: JsonObject; bytes: Uint8Array; release: Release } | undefined> {
  const path = releasePath(version)
  const bytes = await publisher.read(path, MANIFEST_MAX_BYTES)
  if (bytes === undefined) return undefined
  try {
    const document = parseStrictJson(bytes) as JsonObject
    const release = checkShape(releaseShape, document, '')
    assertSigned('release', document, RELEASE_UNSIGNED, (roots.at(-1) ?? roots[0]).roles.release)
    return { document, bytes, release }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MoultError('ERR_PUBLISH_EXISTS', `a release document that does not verify (${reason}): ${path}`, {
      hint: 'Release under a new version, or find out who wrote this file.',
      details: { path },
      cause,
    })
  }
}

/** The same whole artifacts: how they are compressed may differ from one Node to the next. */
function isSameBuild(release: Release, artifacts: readonly Artifact[]): boolean {
  const hashes = Object.entries(release.binaries).map(([platform, { sha256 }]) => `${platform} ${sha256}`)
  const own = artifacts.map(({ platform, file }) => `${platform} ${file.sha256}`)
  return hashes.length === own.length && own.every((line) => hashes.includes(line))
}
