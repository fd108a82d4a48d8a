// From a verified artifact to an installed version: built whole in staging, checked, made durable, then given its name.

import { lstat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { type Binary, MoultError, type Release } from '../../manifests/index.ts'
import { assertContent } from '../home/artifact-file.ts'
import type { Disk } from '../home/disk.ts'
import { discard, isErrno, toFileError } from '../home/file-error.ts'
import { type Home, versionDirectory } from '../home/home.ts'
import { preflight } from './preflight.ts'
import { programFile } from '../home/program-file.ts'
import type { Receipt } from '../home/receipt.ts'
import { type FileSum, writeReceipt } from '../home/sums.ts'
import { unpackTar } from './unpack-tar.ts'

export interface StageOptions {
  /** Arguments with which the new program is run once before it is installed; empty: not at all. */
  readonly preflight: readonly string[]
  /** The rollout that the version is installed by. */
  readonly rollout?: Receipt['rollout']
  /** The version that MUST NOT be touched. */
  readonly running?: string | undefined
  /** Run in the finished directory as the last thing before it gets its name; a failure stops the update. */
  readonly preUpdate?: ((directory: string) => Promise<void>) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * @param artifact path of the verified artifact in staging; it is moved or removed, but stays when `signal` is aborted
 * @throws MoultError ERR_STAGE_* or ERR_BYTES_*; nothing that was made here is left behind
 */
export async function stageVersion(
  home: Home,
  release: Release,
  binary: Binary,
  artifact: string,
  options: StageOptions,
): Promise<Receipt> {
  const { name, version } = release
  const { disk } = home
  const staged = join(home.staging, `${version}.staged`)
  try {
    const facts: Omit<Receipt, 'sums'> = {
      version,
      sha256: binary.sha256,
      size: binary.size,
      entry: entryOf(name, binary),
      postUpdate: binary.hooks?.post_update,
      rollbackFloor: release.rollback_floor,
      ...(options.rollout === undefined ? {} : { rollout: options.rollout }),
    }
    await disk.removeTree(staged)
    disk.makeDirectory(staged, 0o755)
    let files: readonly FileSum[] = [{ path: facts.entry, sha256: binary.sha256 }]
    if (binary.unpack === 'tar') files = await unpackTar(disk, artifact, staged, binary, options.signal)
    else disk.rename(artifact, join(staged, facts.entry))
    await makeExecutable(disk, join(staged, facts.entry), binary, options.signal)
    await assertHooks(staged, binary)
    const receipt = writeReceipt(disk, staged, facts, files)
    await preflight(join(staged, receipt.entry), options.preflight, options.signal)
    options.signal?.throwIfAborted()
    await options.preUpdate?.(staged)
    await giveName(home, staged, receipt, options.running)
    await discard(disk, artifact)
    return receipt
  } catch (error) {
    await discard(disk, staged)
    // A download that was only interrupted is the start of the next attempt.
    if (options.signal?.aborted !== true) await discard(disk, artifact)
    throw toFileError(error, staged)
  }
}

function entryOf(name: string, binary: Binary): string {
  if (binary.unpack !== 'tar') return programFile(name)
  if (binary.entry !== undefined) return binary.entry
  throw new MoultError('ERR_STAGE_ARCHIVE', 'no entry names the program: the archive')
}

/** A hook that is missing is found now: after the swap it would be the new version's failure. */
async function assertHooks(staged: string, { unpack, hooks = {} }: Binary): Promise<void> {
  for (const path of [hooks.pre_update, hooks.post_update]) {
    if (path === undefined) continue
    if (unpack !== 'tar') throw new MoultError('ERR_STAGE_ARCHIVE', `a hook, and no archive to hold it: ${path}`)
    const stat = await lstat(join(staged, path)).catch(() => undefined)
    if (stat?.isFile() !== true) throw new MoultError('ERR_STAGE_ARCHIVE', `the hook is not in the archive: ${path}`)
  }
}

/** Checks a single file once more through the descriptor whose inode is installed; a tree was checked as it was read. */
async function makeExecutable(disk: Disk, program: string, binary: Binary, signal?: AbortSignal): Promise<void> {
  const stat = await lstat(program).catch((error: unknown) => {
    throw isErrno(error, 'ENOENT') ? new MoultError('ERR_STAGE_ARCHIVE', 'the entry is not in the archive') : error
  })
  if (!stat.isFile()) throw new MoultError('ERR_STAGE_ARCHIVE', 'the entry is not a regular file')
  disk.chmod(program, 0o755)
  const file = await disk.open(program)
  try {
    // Either way a sync comes after the chmod: a program that a power cut made unexecutable again would be given up.
    if (binary.unpack === 'tar') await file.sync()
    else await assertContent(file, binary, signal)
  } finally {
    await file.close()
  }
}

async function giveName(home: Home, staged: string, receipt: Receipt, running?: string): Promise<void> {
  const target = versionDirectory(home, receipt.version)
  // Where upper and lower case are the same, so is the directory of 1.0.0-rc and 1.0.0-RC.
  if (receipt.version.toLowerCase() === running?.toLowerCase())
    throw new MoultError('ERR_STAGE_IO', `in use: version ${running}`)
  // A kept copy of this version, even the previous one, gives way: it may be of another build, or have rotted.
  const aside = join(home.staging, `${receipt.version}.old`)
  await home.disk.removeTree(aside)
  try {
    home.disk.rename(target, aside)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  home.disk.rename(staged, target)
  home.disk.syncDirectory(dirname(target))
  await discard(home.disk, aside)
}
