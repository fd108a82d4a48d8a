// Which release document this run publishes. `releases/<version>.json` is the commit point of a version:
//
// - while it does not exist, artifacts of the version may lie about from a run that was killed; they are replaced;
// - once it exists, the version is those bytes for ever. A run that was killed before its manifest went live is
//   finished with that document, also when this run's build came out different (not every compiler is reproducible);
// - when the version is live, other bytes are an error, and a release document that was lost is had back from the live
//   manifest, which holds it.

import { checkShape, type Hooks, type JsonObject, MoultError, type Release, releaseShape } from '../manifests/index.ts'
import { documentBytes } from './document-bytes.ts'
import { releasePath } from './layout.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import { type Released, readReleased } from './released.ts'
import type { Artifact } from './stage-artifacts.ts'
import type { Surroundings } from './surroundings.ts'

export interface SettledRelease extends Released {
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
  const published = await readOwn(version, live, project)
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
    const text = `${version} was signed and uploaded on ${release.release_date}; it is used as it was signed then.`
    around.on({ kind: 'note', text: isSame ? text : `${text} The build just made differs and is not used.` })
  }
  return { document, release, bytes, isLive }
}

async function readOwn(version: string, live: Live | undefined, project: Project): Promise<Released | undefined> {
  try {
    return await readReleased(version, live, project)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const path = releasePath(version)
    throw new MoultError('ERR_PUBLISH_EXISTS', `a release document that does not verify (${reason}): ${path}`, {
      hint: 'Release under a new version, or find out who wrote this file.',
      details: { path },
      cause,
    })
  }
}

/** The same whole artifacts, run in the same way: how they are compressed may differ from one Node to the next. */
function isSameBuild(release: Release, artifacts: readonly Artifact[]): boolean {
  const lineOf = (platform: string, hash: string, entry?: string, { pre_update, post_update }: Hooks = {}): string =>
    JSON.stringify([platform, hash, entry, pre_update, post_update])
  const released = Object.entries(release.binaries).map(([platform, { sha256, entry, hooks }]) =>
    lineOf(platform, sha256, entry, hooks),
  )
  const own = artifacts.map(({ platform, file, entry, hooks }) => lineOf(platform, file.sha256, entry, hooks))
  return released.length === own.length && own.every((line) => released.includes(line))
}
