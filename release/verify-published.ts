// Checks a published place as an agent would, and more than one agent does: every platform, every download.

import {
  canonicalJson,
  type JsonObject,
  type Manifest,
  MoultError,
  NO_FLOOR,
  parseStrictJson,
  RELEASE_UNSIGNED,
  type Root,
  sha256,
  statementDigest,
  type Verified,
  verifyManifest,
} from '../manifests/index.ts'
import { DEFAULT_CHANNEL, manifestPath, releasePath, rootPath } from './layout.ts'
import { openPublished, type PublishedSource, readSmall } from './published-source.ts'
import { type ReleaseDeps, step, type Surroundings, surroundingsOf } from './surroundings.ts'
import { verifyBinaries, type VerifiedFile } from './verify-binary.ts'

export interface VerifyOptions {
  /** A folder, or an http(s) URL. */
  readonly place: string
  /** The root that agents pin. */
  readonly root: Root
  readonly channel?: string
  /** For a folder: what it is served as, so that absolute URLs are looked up in it. */
  readonly baseUrl?: string | undefined
}

export interface VerifyResult {
  readonly name: string
  readonly version: string
  readonly channel: string
  readonly sequence: number
  readonly expires: string
  /** SHA-256 of the manifest file. */
  readonly manifest: string
  readonly files: readonly VerifiedFile[]
}

/** @throws MoultError ERR_NETWORK_*, ERR_MANIFEST_*, ERR_TRUST_* or ERR_BYTES_*: the first fault found */
export async function verifyPublished(options: VerifyOptions, deps: ReleaseDeps = {}): Promise<VerifyResult> {
  const around = surroundingsOf(deps)
  const { place, root, channel = DEFAULT_CHANNEL, baseUrl } = options
  const source = openPublished(place, baseUrl)
  const manifestUrl = source.locate(manifestPath(channel))
  const bytes = await step(around, 'read back', manifestPath(channel), () =>
    readSmall(source, manifestUrl, around.signal),
  )
  const verdict = verifyManifest(bytes, { root, channel, floor: NO_FLOOR }, around.now())
  if (verdict.kind === 'refused') throw verdict.error

  const { manifest } = verdict
  await verifyDocuments(source, manifest, root, around)
  const files = await verifyBinaries(source, manifestUrl, manifest.release, around)
  const { release, rollout } = manifest
  return {
    name: release.name,
    version: release.version,
    channel: rollout.channel,
    sequence: rollout.sequence,
    expires: rollout.expires,
    manifest: sha256(bytes),
    files,
  }
}

/** The release and the pinned root as files of their own: agents do not need them, rollbacks and audits do. */
async function verifyDocuments(
  source: PublishedSource,
  manifest: Verified<Manifest>,
  root: Root,
  around: Surroundings,
): Promise<void> {
  const path = releasePath(manifest.release.version)
  const release = parseStrictJson(await readSmall(source, source.locate(path), around.signal)) as JsonObject
  if (statementDigest(release, RELEASE_UNSIGNED) !== manifest.releaseDigest) {
    throw new MoultError('ERR_TRUST_BINDING', `not the release that the manifest offers: ${path}`, {
      details: { path },
    })
  }
  const rootFile = rootPath(root.version)
  const published = canonicalJson(parseStrictJson(await readSmall(source, source.locate(rootFile), around.signal)))
  if (sha256(published) !== sha256(canonicalJson(root.document))) {
    throw new MoultError('ERR_TRUST_ROOT', `not the pinned root: ${rootFile}`, { details: { path: rootFile } })
  }
}
