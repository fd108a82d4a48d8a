// The artifact that a delta starts from, as it lies on this machine: the program of an installed version, or its tree,
// packed again as the release has packed it. What counts are the bytes that are there, not what the version is called.

import { join } from 'node:path'

import { MoultError } from '../../manifests/index.ts'
import { discard, toFileError } from '../home/file-error.ts'
import type { Home } from '../home/home.ts'
import type { InstalledArtifact } from '../home/installed-artifacts.ts'
import { openReadOnly, type ReadOnlyFile } from '../home/read-only-file.ts'
import type { Source } from './download-options.ts'
import { writeBounded } from './write-unverified.ts'

/** Read through the descriptor that it was hashed by. */
export interface OldArtifact {
  readonly file: ReadOnlyFile
  /** Hashes it once more: while a patch was fetched, much may have happened to a file. @throws MoultError ERR_BYTES_HASH */
  assertUnchanged(signal?: AbortSignal): Promise<void>
  /** Removes what was packed for this. */
  close(): Promise<void>
}

/**
 * The first of the installed versions whose bytes have the hash.
 * @throws MoultError ERR_BYTES_HASH, ERR_STAGE_* or, for a tree that no release packs, ERR_BUILD_FAILED
 */
export async function openOldArtifact(
  home: Home,
  from: NonNullable<Source['from']>,
  signal?: AbortSignal,
): Promise<OldArtifact> {
  let failure: unknown
  for (const installed of from.installed) {
    try {
      return await openProven(home, installed, signal)
    } catch (error) {
      signal?.throwIfAborted()
      failure = error
    }
  }
  throw failure
}

async function openProven(home: Home, installed: InstalledArtifact, signal?: AbortSignal): Promise<OldArtifact> {
  const { path, isTree, sha256, size, version } = installed
  const packed = isTree ? join(home.staging, `${sha256}.repacked`) : undefined
  let file: ReadOnlyFile | undefined
  const close = async (): Promise<void> => {
    await file?.close()
    if (packed !== undefined) await discard(home.disk, packed)
  }
  try {
    if (packed !== undefined) await packAgain(home, installed, packed, signal)
    const opened = await openReadOnly(packed ?? path)
    file = opened
    const assertUnchanged = async (abort?: AbortSignal): Promise<void> => {
      // Of another size it is another one, and may be so large that its hash is not worth the time.
      const found = opened.length === size ? await opened.hash(abort) : ''
      if (found === sha256) return
      throw new MoultError('ERR_BYTES_HASH', `not what the delta starts from: version ${version}`, {
        details: { sha256: found, expected: sha256 },
      })
    }
    await assertUnchanged(signal)
    return { file: opened, assertUnchanged, close }
  } catch (error) {
    await close()
    throw toFileError(error, path)
  }
}

/** Larger than the artifact was, it is another one. */
async function packAgain(
  home: Home,
  { path, entry, size }: InstalledArtifact,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  // With the packer comes a package that agents of one file never need.
  const { packTree } = await import('../../trees/pack-tree.ts')
  await home.disk.removeTree(to)
  const output = await home.disk.create(to, 0o600)
  try {
    await writeBounded(output, packTree(path, { isInstalled: true, entry, signal }), size, signal)
  } finally {
    await output.close()
  }
}
