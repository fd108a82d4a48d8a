// Checks a published place as an agent would, and more than one agent does: every platform, every download.

import {
  canonicalJson,
  type Hooks,
  type JsonObject,
  type Manifest,
  MoultError,
  NO_FLOOR,
  parseStrictJson,
  readRoot,
  RELEASE_UNSIGNED,
  type Root,
  sha256,
  statementDigest,
  type Trust,
  type Verified,
  verifyManifest,
} from '../manifests/index.ts'
import { expiryWarnings, type ExpiryWarning } from './expiry-warnings.ts'
import { higherFloor, type KnownFloor, readSeen, verifyAbove, writeSeen } from './known-floor.ts'
import { DEFAULT_CHANNEL, manifestPath, releasePath, rootPath } from './layout.ts'
import { openPublished, type PublishedSource, readSmall } from './published-source.ts'
import type { Publisher } from './publishers/publisher.ts'
import { hooksOf } from './release-result.ts'
import { assertSignedOnce } from './roots/release-signatures.ts'
import { type ReleaseDeps, step, type Surroundings, surroundingsOf } from './surroundings.ts'
import { verifyBinaries, type VerifiedFile } from './verify-binary.ts'

export interface VerifyOptions {
  /** A folder, an http(s) URL, or the publisher of a project. */
  readonly place: string | Publisher
  /** The root that agents pin. */
  readonly root: Root
  readonly channel?: string
  /** True: the documents alone, without a look at the artifacts. */
  readonly isBrief?: boolean | undefined
  /** For a folder: what it is served as, so that absolute URLs are looked up in it. */
  readonly baseUrl?: string | undefined
  /** What is known about the channel: an older manifest is refused then, as agents refuse it that saw a newer one. */
  readonly known?: KnownFloor | undefined
  /** A file that keeps what was seen here for the next check, and is made by the first. */
  readonly remember?: string | undefined
}

export interface VerifyResult {
  readonly name: string
  readonly version: string
  readonly channel: string
  readonly sequence: number
  readonly expires: string
  /** Version of the newest root. */
  readonly root: number
  /** SHA-256 of the manifest file. */
  readonly manifest: string
  readonly files: readonly VerifiedFile[]
  /** What agents run of the release at the update, by platform; absent when there is nothing. */
  readonly hooks?: Readonly<Record<string, Hooks>>
  readonly warnings: readonly ExpiryWarning[]
}

/** @throws MoultError ERR_NETWORK_*, ERR_MANIFEST_*, ERR_TRUST_* or ERR_BYTES_*: the first fault found */
export async function verifyPublished(options: VerifyOptions, deps: ReleaseDeps = {}): Promise<VerifyResult> {
  const around = surroundingsOf(deps)
  const { root, remember } = options
  const { source, manifestUrl, bytes, now, manifest, trust } = await readLiveAsAgents(options, around)
  await verifyDocuments(source, manifest, followedRoots(bytes, root, trust.root), around)
  const base = new URL(manifest.rollout.base ?? '', manifestUrl)
  const files = options.isBrief === true ? [] : await verifyBinaries(source, base, manifest.release, around)
  if (remember !== undefined) await writeSeen(remember, trust)
  const { release, rollout } = manifest
  return {
    name: release.name,
    version: release.version,
    channel: rollout.channel,
    sequence: rollout.sequence,
    expires: rollout.expires,
    root: trust.root.version,
    manifest: sha256(bytes),
    files,
    ...hooksOf(release),
    warnings: expiryWarnings(manifest, trust.root, now),
  }
}

export interface LiveAsAgents {
  readonly source: PublishedSource
  readonly manifestUrl: URL
  readonly bytes: Uint8Array
  readonly manifest: Verified<Manifest>
  readonly trust: Trust
  /** When it was judged. */
  readonly now: number
}

/** The live manifest, verified as by an agent that starts today, and by one that has seen what is known here. */
export async function readLiveAsAgents(options: VerifyOptions, around: Surroundings): Promise<LiveAsAgents> {
  const { place, root, channel = DEFAULT_CHANNEL, baseUrl, remember } = options
  const seen = remember === undefined ? undefined : await readSeen(remember, root.name, channel)
  const source = openPublished(place, baseUrl)
  const manifestUrl = source.locate(manifestPath(channel))
  const bytes = await step(around, 'read back', manifestPath(channel), () =>
    readSmall(source, manifestUrl, around.signal),
  )
  const now = around.now()
  const known = higherFloor(options.known, seen)
  const experienced = known === undefined ? undefined : verifyAbove(bytes, known, channel, now)
  if (experienced?.kind === 'refused') throw experienced.error
  // An agent that starts today knows the pinned root only.
  const verdict = verifyManifest(bytes, { root, channel, floor: NO_FLOOR }, now)
  if (verdict.kind === 'refused') throw verdict.error
  return { source, manifestUrl, bytes, manifest: verdict.manifest, trust: verdict.trust, now }
}

/** The release and the pinned root as files of their own: agents do not need them, rollbacks and audits do. */
async function verifyDocuments(
  source: PublishedSource,
  manifest: Verified<Manifest>,
  roots: readonly [Root, ...Root[]],
  around: Surroundings,
): Promise<void> {
  const path = releasePath(manifest.release.version)
  const release = parseStrictJson(await readSmall(source, source.locate(path), around.signal)) as JsonObject
  if (statementDigest(release, RELEASE_UNSIGNED) !== manifest.releaseDigest) {
    throw new MoultError('ERR_TRUST_BINDING', `not the release that the manifest offers: ${path}`, {
      details: { path },
    })
  }
  assertSignedOnce(release, roots)
  const [root] = roots
  const rootFile = rootPath(root.version)
  const published = canonicalJson(parseStrictJson(await readSmall(source, source.locate(rootFile), around.signal)))
  if (sha256(published) !== sha256(canonicalJson(root.document))) {
    throw new MoultError('ERR_TRUST_ROOT', `not the pinned root: ${rootFile}`, { details: { path: rootFile } })
  }
}

/** The pinned root and those that the manifest leads to; they were verified with it. */
function followedRoots(bytes: Uint8Array, pinned: Root, newest: Root): [Root, ...Root[]] {
  const { trust = [] } = parseStrictJson(bytes) as { trust?: JsonObject[] }
  const isFollowed = ({ version }: Root): boolean => version > pinned.version && version <= newest.version
  return [pinned, ...trust.map(readRoot).filter(isFollowed)]
}
