// What will be written, in the order of writing. Nothing is changed here; `--plan` prints it, publishing follows it.

import {
  type Download,
  type JsonObject,
  MoultError,
  RELEASE_UNSIGNED,
  sha256,
  statementDigest,
} from '../manifests/index.ts'
import type { Attachment } from './attachments/attachment.ts'
import type { CompressedArtifact } from './compress-artifacts.ts'
import { documentBytes } from './document-bytes.ts'
import type { Digest } from './durable-files.ts'
import { attemptPath, historyPath, manifestPath, pathOf, releasePath, rootPath } from './layout.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import type { PublishFile } from './publishers/publisher.ts'
import type { Released } from './released.ts'
import type { SettledRelease } from './settle-release.ts'

export interface PlannedFile extends Digest {
  readonly path: string
  /** `keep`: these very bytes are there already. */
  readonly action: 'write' | 'keep'
}

export interface PublishPlan {
  /** None for the live release under another rollout: they are as they were. */
  readonly artifacts: readonly (PlannedFile & { readonly source?: PublishFile['source'] })[]
  /** Release and roots: immutable. */
  readonly documents: readonly (PlannedFile & { readonly bytes: Uint8Array })[]
  /** Undefined when the live manifest stays: the version is live already, or nobody is to get it yet. */
  readonly manifest?: Digest & {
    readonly path: string
    /** Where it is noted that its sequence is used up. */
    readonly attemptPath: string
    readonly bytes: Uint8Array
    /** Hash of the manifest that this one replaces. */
    readonly replaces: string | undefined
  }
  /** Manifests under their hashes: the new one, after the live one if that is not there. */
  readonly history?: readonly (PlannedFile & { readonly bytes: Uint8Array })[]
  /** The release, when no manifest offers it yet. */
  readonly prepared?: Released
}

export interface PlanInput {
  readonly release: SettledRelease
  /** Undefined: the live manifest stays. */
  readonly rollout: JsonObject | undefined
  readonly artifacts: readonly CompressedArtifact[]
  readonly attachments?: readonly Attachment[]
  readonly live: Live | undefined
  readonly channel: string
  readonly baseUrl: string | undefined
}

/** @throws MoultError ERR_PUBLISH_EXISTS or ERR_PUBLISH_FAILED */
export async function planPublish(input: PlanInput, project: Project): Promise<PublishPlan> {
  const { release, rollout, live, channel } = input
  const manifest = rollout === undefined ? undefined : planManifest(release, rollout, live, channel, project)
  const documents = [{ path: releasePath(release.release.version), bytes: release.bytes }]
  for (const root of project.roots)
    documents.push({ path: rootPath(root.version), bytes: documentBytes(root.document) })
  return {
    artifacts: isRestated(input) ? [] : await planArtifacts(input, project),
    documents: await Promise.all(
      documents.map(async ({ path, bytes: content }) => ({
        ...(await planFile(path, digestOf(content), project)),
        bytes: content,
      })),
    ),
    ...(manifest === undefined ? {} : { manifest, history: await planHistory(live, manifest, project) }),
    ...(rollout === undefined && !release.isLive ? { prepared: release } : {}),
  }
}

/**
 * The live release under another rollout: its artifacts are there and never change. A brake MUST NOT wait until all of
 * them were read, nor fail because one is damaged: `moult verify` looks at them.
 */
function isRestated({ release, rollout, artifacts, live }: PlanInput): boolean {
  if (rollout === undefined || artifacts.length > 0) return false
  return live?.manifest.releaseDigest === statementDigest(release.document, RELEASE_UNSIGNED)
}

function planManifest(
  { document }: SettledRelease,
  rollout: JsonObject,
  live: Live | undefined,
  channel: string,
  project: Project,
): NonNullable<PublishPlan['manifest']> {
  const bytes = documentBytes({ ...document, rollout, ...trustOf(project) })
  return {
    path: manifestPath(channel),
    attemptPath: attemptPath(channel),
    bytes,
    ...digestOf(bytes),
    replaces: live?.sha256,
  }
}

/** The live one may be of a time before there was a history, or its file may have been lost since. */
async function planHistory(
  live: Live | undefined,
  manifest: NonNullable<PublishPlan['manifest']>,
  project: Project,
): Promise<NonNullable<PublishPlan['history']>> {
  const planned = [...(live === undefined ? [] : [live]), manifest].map(async ({ sha256: hash, bytes }) => ({
    ...(await planFile(historyPath(hash), { size: bytes.length, sha256: hash }, project)),
    bytes,
  }))
  return (await Promise.all(planned)).filter(({ action }) => action === 'write')
}

async function planArtifacts(
  { release, artifacts, attachments = [], baseUrl }: PlanInput,
  project: Project,
): Promise<PublishPlan['artifacts']> {
  const sources = new Map<string, PublishFile['source']>()
  for (const { file, brotli, deltas = [] } of artifacts)
    for (const one of [file, brotli, ...deltas]) if (one !== undefined) sources.set(one.sha256, { file: one.path })
  for (const { sha256: hash, bytes } of attachments) sources.set(hash, { bytes })

  const { binaries, attachments: named = {} } = release.release
  const wholes = Object.values(binaries).flatMap((binary) => [binary, ...(binary.downloads ?? [])])
  const files: PublishPlan['artifacts'][number][] = []
  for (const { url, size, sha256: hash } of [...wholes, ...Object.values(named)]) {
    const planned = await planFile(ownPath({ url }, baseUrl), { size, sha256: hash }, project)
    const source = sources.get(hash)
    if (planned.action === 'write' && source === undefined) throw lost(planned.path, artifacts.length > 0)
    files.push({ ...planned, ...(source === undefined ? {} : { source }) })
  }
  return files
}

async function planFile(path: string, { size, sha256: hash }: Digest, { publisher }: Project): Promise<PlannedFile> {
  const found = await publisher.digest(path)
  return { path, size, sha256: hash, action: found?.sha256 === hash ? 'keep' : 'write' }
}

function ownPath({ url }: Pick<Download, 'url'>, baseUrl: string | undefined): string {
  const path = pathOf(url, baseUrl)
  if (path !== undefined) return path
  throw new MoultError('ERR_PUBLISH_EXISTS', `already published with another base URL: ${url}`, {
    hint: 'A release names its URLs, and is signed with them. Keep --base-url, or take a new version.',
    details: { url, baseUrl: baseUrl ?? null },
  })
}

function lost(path: string, isBuilt: boolean): MoultError {
  const reason = isBuilt ? 'missing or damaged, and this build gives other bytes' : 'missing or damaged'
  return new MoultError('ERR_PUBLISH_FAILED', `${reason}: ${path}`, {
    hint: isBuilt
      ? 'Release under a new version.'
      : 'Run `moult release --no-rollout` for this version again, where the release key is.',
    details: { path },
  })
}

function trustOf({ roots: [, ...later] }: Project): { trust?: JsonObject[] } {
  return later.length === 0 ? {} : { trust: later.map((root) => root.document) }
}

function digestOf(bytes: Uint8Array): Digest {
  return { size: bytes.length, sha256: sha256(bytes) }
}
