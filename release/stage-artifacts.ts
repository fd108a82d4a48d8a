// From here on nothing is read from the build's output again: the copy that was hashed is compressed, run and published.

import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'

import { type Hooks, MoultError, type Platform } from '../manifests/index.ts'
import type { Built } from './build/build-artifacts.ts'
import { copyAndHash, type Digest } from './durable-files.ts'
import { mapBounded } from './map-bounded.ts'
import { packTree } from './pack/pack-tree.ts'
import { step, type Surroundings } from './surroundings.ts'

/** A file in the release's private folder. */
export interface StagedFile extends Digest {
  readonly path: string
}

export interface Artifact {
  readonly platform: Platform
  readonly file: StagedFile
  /** Set for a tree: the program inside it. */
  readonly entry?: string
  readonly hooks?: Hooks
}

/** Packs trees, and copies and hashes each artifact in one pass. @throws MoultError ERR_BUILD_FAILED */
export async function stageArtifacts(
  built: readonly Built[],
  scratch: string,
  around: Surroundings,
): Promise<Artifact[]> {
  const folder = join(scratch, 'staged')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return mapBounded(built, undefined, around, async (artifact, inner): Promise<Artifact> => {
    const { platform } = artifact
    let { path } = artifact
    if (artifact.kind === 'tree') {
      path = join(scratch, `${platform}.tar`)
      await step(inner, 'pack', platform, () => packTree(artifact.path, path, inner.signal, artifact.entry))
    }
    const file = await step(inner, 'hash', platform, () => stageFile(path, join(folder, platform), inner.signal))
    if (artifact.kind === 'file') return { platform, file }
    const { entry, hooks } = artifact
    return { platform, file, entry, ...(hooks === undefined ? {} : { hooks }) }
  })
}

async function stageFile(from: string, to: string, signal: AbortSignal): Promise<StagedFile> {
  const source = await openRegular(from)
  try {
    const before = await source.stat()
    const target = await open(to, 'wx', 0o700)
    try {
      const digest = await copyAndHash(source, target, signal)
      const after = await source.stat()
      if (after.mtimeMs !== before.mtimeMs || digest.size !== before.size)
        throw refuse('changed while it was copied', from)
      return { path: to, ...digest }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (cause) {
    const isLink = (cause as NodeJS.ErrnoException).code === 'ELOOP'
    throw refuse(isLink ? 'a symbolic link' : 'cannot be read', path, cause)
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw refuse('not a regular file', path)
}

function refuse(reason: string, path: string, cause?: unknown): MoultError {
  return new MoultError('ERR_BUILD_FAILED', `${reason}: ${path}`, { details: { path }, cause })
}
