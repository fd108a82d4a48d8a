// From a verified manifest to bytes on disk that match it. The smallest download that this agent can use comes first; a
// bad one falls back to the next. Until the last hash is checked a file is called what it is: unverified.

import { createReadStream, lstatSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { createBrotliDecompress } from 'node:zlib'

import { type Binary, isMoultError, MoultError } from '../../manifests/index.ts'
import type { Disk } from '../home/disk.ts'
import type { DownloadOptions, Source } from './download-options.ts'
import { fetchFile, isHostBusy } from './fetch-file.ts'
import { discard, toFileError, withFileErrors } from '../home/file-error.ts'
import { freeBytes, type Home } from '../home/home.ts'
import { takeDelta } from './take-delta.ts'
import { sourceName } from './usable-sources.ts'
import { writeUnverified } from './write-unverified.ts'

/** Left free on the disk beyond what the update itself needs. */
const DISK_RESERVE_BYTES = 16 * 1024 * 1024

/** What a download came to. */
export interface Downloaded {
  /** Of a file whose size and SHA-256 are those of the manifest. */
  readonly path: string
  readonly source: Source
}

/**
 * Gets the artifact into the staging directory.
 * @param sources the ways to get it, the best first
 * @throws MoultError ERR_NETWORK_*, ERR_BYTES_* or ERR_STAGE_*
 */
export async function downloadArtifact(
  home: Home,
  binary: Binary,
  sources: readonly Source[],
  options: DownloadOptions,
): Promise<Downloaded> {
  if (binary.size > options.maxBytes) {
    throw new MoultError('ERR_BYTES_SIZE', `larger than the limit of ${options.maxBytes} bytes: the artifact`, {
      details: { size: binary.size, limit: options.maxBytes },
      hint: 'Raise maxPackageSize if this size is intended.',
    })
  }
  await removeOtherPartials(home, sources)
  await makeRoom(home, binary, sources)
  let failure: unknown
  for (const source of sources) {
    const note = (isUseless: boolean): void => {
      if (source.from !== undefined) options.noteDelta?.(source, isUseless)
    }
    try {
      const path = await takeSource(home, binary, source, options)
      note(false)
      return { path, source }
    } catch (error) {
      failure = error
      const isOver = options.signal?.aborted === true || !isAboutSource(error, source)
      // Room may be there the next time, as may the network; what else a delta fails by stays as it is.
      note(!isOver && !(isMoultError(error) && error.code === 'ERR_STAGE_SPACE'))
      if (isOver) break
      await discard(home.disk, join(home.staging, partialName(source)))
      options.emit({ kind: 'download-failed', source: sourceName(source), error })
    }
  }
  throw failure
}

/**
 * Only bytes that turned out wrong make the next source worth a try: the network, the disk or a stop will not. A delta is
 * there to save bytes: whatever but the network comes between is no reason to wait with the update.
 */
function isAboutSource(error: unknown, { from }: Source): boolean {
  if (!isMoultError(error)) return from !== undefined
  if (error.exitCode === 23 || error.code === 'ERR_NETWORK_URL' || error.code === 'ERR_NETWORK_REDIRECT') return true
  if (error.code === 'ERR_NETWORK_STATUS') return !isHostBusy(error)
  return from !== undefined && error.exitCode !== 20
}

/** What other updates left unfinished would be of use to nobody, and may be what fills the disk. */
async function removeOtherPartials(home: Home, sources: readonly Source[]): Promise<void> {
  const own = new Set(sources.map(partialName))
  try {
    for (const name of await readdir(home.staging)) {
      if (!own.has(name)) await home.disk.removeTree(join(home.staging, name))
    }
  } catch (error) {
    throw toFileError(error, home.staging)
  }
}

function partialName({ sha256 }: Source): string {
  return `${sha256}.partial`
}

/**
 * The start of a download is worth keeping, but not on a disk that has no room for the rest of it. A delta is not counted:
 * where it does not fit, the others may.
 */
async function makeRoom(home: Home, binary: Binary, sources: readonly Source[]): Promise<void> {
  const counted = sources.filter(({ from }) => from === undefined)
  const needed = (): number => Math.max(...counted.map((source) => missingBytes(home, binary, source)))
  if (freeBytes(home) < needed() + DISK_RESERVE_BYTES) {
    for (const source of sources) await discard(home.disk, join(home.staging, partialName(source)))
  }
  assertSpace(home, needed())
}

function missingBytes(home: Home, binary: Binary, source: Source): number {
  return peakBytes(binary, source) - partialBytes(home, source)
}

/**
 * A compressed download lies beside what comes out of it, and a delta also beside a tree that was packed again; then an
 * archive beside its tree. A file is only moved.
 */
function peakBytes(binary: Binary, { size, encoding, from }: Source): number {
  const packed = encoding === undefined && from === undefined ? 0 : size
  const repacked = Math.max(0, ...(from?.installed ?? []).map((old) => (old.isTree ? old.size : 0)))
  return binary.size + Math.max(packed + repacked, binary.unpack === 'tar' ? binary.size : 0)
}

function partialBytes(home: Home, source: Source): number {
  const path = join(home.staging, partialName(source))
  const stat = withFileErrors(path, () => lstatSync(path, { throwIfNoEntry: false }))
  return stat?.isFile() === true ? Math.min(stat.size, source.size) : 0
}

function assertSpace(home: Home, bytes: number): void {
  const free = freeBytes(home)
  if (free >= bytes + DISK_RESERVE_BYTES) return
  throw new MoultError('ERR_STAGE_SPACE', `${bytes} bytes needed, ${free} free: ${home.path}`, {
    details: { needed: bytes, free, reserve: DISK_RESERVE_BYTES },
    hint: 'Free some disk space; the old version keeps running and the update is tried again.',
  })
}

async function takeSource(home: Home, binary: Binary, source: Source, options: DownloadOptions): Promise<string> {
  const partial = join(home.staging, partialName(source))
  const target = join(home.staging, `${binary.sha256}.unverified`)
  const { from, encoding } = source
  if (from !== undefined) assertSpace(home, missingBytes(home, binary, source))
  else await fetchFile(home.disk, partial, source, options)
  if (from === undefined && encoding === undefined) return partial
  try {
    if (from === undefined) await decompress(home.disk, partial, target, binary, options.signal)
    else await takeDelta(home, binary, { ...source, from }, { partial, target }, options)
  } catch (error) {
    await discard(home.disk, target)
    // What was only interrupted is whole, or will be, and the next attempt begins with it.
    if (from === undefined && options.signal?.aborted !== true) await discard(home.disk, partial)
    throw toFileError(error, target)
  }
  await discard(home.disk, partial)
  return target
}

/** Not pipe(): an error of the disk would end the process, and an end before that of the input would never come. */
async function decompress(disk: Disk, from: string, to: string, binary: Binary, signal?: AbortSignal): Promise<void> {
  const unpacked = pipeline(createReadStream(from), createBrotliDecompress(), () => undefined)
  try {
    await writeUnverified(disk, to, unpacked, binary, 'the compressed download does not unpack', signal)
  } finally {
    unpacked.destroy()
  }
}
