// From a verified artifact to an installed version: built whole in staging, checked, made durable, then given its name.

import { chmod, lstat, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { type Binary, MoultError, type Release } from '../manifests/index.ts'
import { assertContent } from './artifact-file.ts'
import { syncDirectory } from './durable-file.ts'
import { discard, isErrno, toFileError } from './file-error.ts'
import { type Home, versionDirectory } from './home.ts'
import { preflight } from './preflight.ts'
import { formatReceipt, RECEIPT_NAME, type Receipt } from './receipt.ts'
import { unpackTar } from './unpack-tar.ts'

export interface StageOptions {
  /** Arguments with which the new program is run once before it is installed; empty: not at all. */
  readonly preflight: readonly string[]
  /** The rollout that the version is installed by. */
  readonly rollout?: Receipt['rollout']
  /** The version that MUST NOT be touched. */
  readonly running?: string | undefined
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
  const staged = join(home.staging, `${version}.staged`)
  try {
    const receipt: Receipt = {
      version,
      sha256: binary.sha256,
      size: binary.size,
      entry: entryOf(name, binary),
      rollbackFloor: release.rollback_floor,
      ...(options.rollout === undefined ? {} : { rollout: options.rollout }),
    }
    await rm(staged, { recursive: true, force: true })
    await mkdir(staged, { mode: 0o755 })
    if (binary.unpack === 'tar') await unpackTar(artifact, staged, binary.size, options.signal)
    else await rename(artifact, join(staged, receipt.entry))
    await makeExecutable(join(staged, receipt.entry), binary, options.signal)
    await writeDurably(join(staged, RECEIPT_NAME), formatReceipt(receipt))
    syncDirectory(staged)
    await preflight(join(staged, receipt.entry), options.preflight, options.signal)
    options.signal?.throwIfAborted()
    await giveName(home, staged, receipt, options.running)
    await discard(artifact)
    return receipt
  } catch (error) {
    await discard(staged)
    // A download that was only interrupted is the start of the next attempt.
    if (options.signal?.aborted !== true) await discard(artifact)
    throw toFileError(error, staged)
  }
}

function entryOf(name: string, binary: Binary): string {
  if (binary.unpack !== 'tar') return name
  if (binary.entry !== undefined) return binary.entry
  throw new MoultError('ERR_STAGE_ARCHIVE', 'no entry names the program: the archive')
}

/** Checks a single file once more through the descriptor whose inode is installed; a tree was checked as it was read. */
async function makeExecutable(program: string, binary: Binary, signal?: AbortSignal): Promise<void> {
  const stat = await lstat(program).catch((error: unknown) => {
    throw isErrno(error, 'ENOENT') ? new MoultError('ERR_STAGE_ARCHIVE', 'the entry is not in the archive') : error
  })
  if (!stat.isFile()) throw new MoultError('ERR_STAGE_ARCHIVE', 'the entry is not a regular file')
  await chmod(program, 0o755)
  const file = await open(program, 'r+')
  try {
    // Either way a sync comes after the chmod: a program that a power cut made unexecutable again would be given up.
    if (binary.unpack === 'tar') await file.sync()
    else await assertContent(file, binary, signal)
  } finally {
    await file.close()
  }
}

async function writeDurably(path: string, content: string): Promise<void> {
  await writeFile(path, content, { flag: 'wx', mode: 0o644, flush: true })
}

async function giveName(home: Home, staged: string, receipt: Receipt, running?: string): Promise<void> {
  const target = versionDirectory(home, receipt.version)
  if (receipt.version === running) throw new MoultError('ERR_STAGE_IO', `in use: version ${running}`)
  // A kept copy of this version, even the previous one, gives way: it may be of another build, or have rotted.
  const aside = join(home.staging, `${receipt.version}.old`)
  await rm(aside, { recursive: true, force: true })
  await rename(target, aside).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error
  })
  await rename(staged, target)
  syncDirectory(dirname(target))
  await discard(aside)
}
