// What will be written, in the order of writing. Nothing is changed here; `--plan` prints it, publishing follows it.

import { type Download, type JsonObject, MoultError, sha256 } from '../manifests/index.ts'
import type { CompressedArtifact } from './compress-artifacts.ts'
import { documentBytes } from './document-bytes.ts'
import type { Digest } from './durable-files.ts'
import { manifestPath, pathOf, releasePath, rootPath } from './layout.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import type { PublishFile } from './publishers/publisher.ts'
import type { SettledRelease } from './settle-release.ts'
import type { StagedFile } from './stage-artifacts.ts'

export interface PlannedFile extends Digest {
  readonly path: string
  /** `keep`: these very bytes are there already. */
  readonly action: 'write' | 'keep'
}

export interface PublishPlan {
  readonly artifacts: readonly (PlannedFile & { readonly source?: PublishFile['source'] })[]
  /** Release and roots: immutable. */
  readonly documents: readonly (PlannedFile & { readonly bytes: Uint8Array })[]
  /** Undefined when the version is live already. */
  readonly manifest?: Digest & {
    readonly path: string
    readonly bytes: Uint8Array
    /** Hash of the manifest that this one replaces. */
    readonly replaces: string | undefined
  }
}

export interface PlanInput {
  readonly release: SettledRelease
  readonly rollout: JsonObject
  readonly artifacts: readonly CompressedArtifact[]
  readonly live: Live | undefined
  readonly channel: string
  readonly baseUrl: string | undefined
}

/** @throws MoultError ERR_PUBLISH_EXISTS or ERR_PUBLISH_FAILED */
export async function planPublish(input: PlanInput, project: Project): Promise<PublishPlan> {
  const { release, live, channel } = input
  const documents = [{ path: releasePath(release.release.version), bytes: release.bytes }]
  for (const root of project.roots)
    documents.push({ path: rootPath(root.version), bytes: documentBytes(root.document) })
  const bytes = documentBytes({ ...release.document, rollout: input.rollout, ...trustOf(project) })
  return {
    artifacts: await planArtifacts(input, project),
    documents: await Promise.all(
      documents.map(async ({ path, bytes: content }) => ({
        ...(await planFile(path, digestOf(content), project)),
        bytes: content,
      })),
    ),
    ...(release.isLive
      ? {}
      : { manifest: { path: manifestPath(channel), bytes, ...digestOf(bytes), replaces: live?.sha256 } }),
  }
}

async function planArtifacts(
  { release, artifacts, channel, baseUrl }: PlanInput,
  project: Project,
): Promise<PublishPlan['artifacts']> {
  const staged = new Map<string, StagedFile>()
  for (const { file, brotli } of artifacts)
    for (const one of [file, brotli]) if (one !== undefined) staged.set(one.sha256, one)

  const files: PublishPlan['artifacts'][number][] = []
  for (const binary of Object.values(release.release.binaries)) {
    for (const wanted of [binary, ...(binary.downloads ?? [])]) {
      const planned = await planFile(
        ownPath(wanted, channel, baseUrl),
        { size: wanted.size, sha256: wanted.sha256 },
        project,
      )
      const source = staged.get(wanted.sha256)
      if (planned.action === 'write' && source === undefined) throw lost(planned.path)
      files.push({ ...planned, ...(source === undefined ? {} : { source: { file: source.path } }) })
    }
  }
  return files
}

async function planFile(path: string, { size, sha256: hash }: Digest, { publisher }: Project): Promise<PlannedFile> {
  const found = await publisher.digest(path)
  return { path, size, sha256: hash, action: found?.sha256 === hash ? 'keep' : 'write' }
}

function ownPath({ url }: Pick<Download, 'url'>, channel: string, baseUrl: string | undefined): string {
  const path = pathOf(url, channel, baseUrl)
  if (path !== undefined) return path
  throw new MoultError('ERR_PUBLISH_EXISTS', `already published with another base URL or channel: ${url}`, {
    hint: 'A release names its URLs, and is signed with them. Keep --base-url and the channel, or take a new version.',
    details: { url, channel, baseUrl: baseUrl ?? null },
  })
}

function lost(path: string): MoultError {
  return new MoultError('ERR_PUBLISH_FAILED', `missing or damaged, and this build gives other bytes: ${path}`, {
    hint: 'Release under a new version.',
    details: { path },
  })
}

function trustOf({ roots: [, ...later] }: Project): { trust?: JsonObject[] } {
  return later.length === 0 ? {} : { trust: later.map((root) => root.document) }
}

function digestOf(bytes: Uint8Array): Digest {
  return { size: bytes.length, sha256: sha256(bytes) }
}
