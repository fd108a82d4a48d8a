// From a verified manifest to bytes on disk that match it. The smallest download that this agent can use comes first; a
// bad one falls back to the next. Until the last hash is checked a file is called what it is: unverified.

import { createReadStream, lstatSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { createBrotliDecompress } from 'node:zlib'

import { type Binary, isMoultError, MoultError } from '../../manifests/index.ts'
import { assertContent } from '../home/artifact-file.ts'
import type { Disk, DiskFile } from '../home/disk.ts'
import type { DownloadOptions, Source } from './download-options.ts'
import { fetchFile, isHostBusy } from './fetch-file.ts'
import { discard, toFileError, withFileErrors } from '../home/file-error.ts'
import { freeBytes, type Home } from '../home/home.ts'

/** Left free on the disk beyond what the update itself needs. */
const DISK_RESERVE_BYTES = 16 * 1024 * 1024

/** The ways that this agent can use, smallest first. */
export function usableSources(binary: Binary): Source[] {
  const sources: Source[] = [{ url: binary.url, size: binary.size, sha256: binary.sha256 }]
  for (const { url, size, sha256, encoding, from } of binary.downloads ?? []) {
    if (from === undefined && encoding === 'br') sources.push({ url, size, sha256, encoding })
  }
  return sources.toSorted((a, b) => a.size - b.size)
}

/**
 * Gets the artifact into the staging directory.
 * @returns path of a file whose size and SHA-256 are those of the manifest
 * @throws MoultError ERR_NETWORK_*, ERR_BYTES_* or ERR_STAGE_*
 */
export async function downloadArtifact(home: Home, binary: Binary, options: DownloadOptions): Promise<string> {
  const sources = usableSources(binary)
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
    try {
      return await takeSource(home, binary, source, options)
    } catch (error) {
      failure = error
      // Only bytes that turned out wrong make the next source worth a try: the network, the disk or a stop will not.
      if (!isMoultError(error) || !isAboutSource(error)) break
      await discard(home.disk, join(home.staging, partialName(source)))
      options.emit({ kind: 'download-failed', source: source.encoding ?? 'whole', error })
    }
  }
  throw failure
}

function isAboutSource(error: MoultError): boolean {
  if (error.exitCode === 23 || error.code === 'ERR_NETWORK_URL' || error.code === 'ERR_NETWORK_REDIRECT') return true
  return error.code === 'ERR_NETWORK_STATUS' && !isHostBusy(error)
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

/** The start of a download is worth keeping, but not on a disk that has no room for the rest of it. */
async function makeRoom(home: Home, binary: Binary, sources: readonly Source[]): Promise<void> {
  const needed = (): number =>
    Math.max(...sources.map((source) => peakBytes(binary, source) - partialBytes(home, source)))
  if (freeBytes(home) < needed() + DISK_RESERVE_BYTES) {
    for (const source of sources) await discard(home.disk, join(home.staging, partialName(source)))
  }
  assertSpace(home, needed())
}

/** A compressed download lies beside what comes out of it, and then an archive beside its tree; a file is only moved. */
function peakBytes(binary: Binary, source: Source): number {
  const packed = source.encoding === undefined ? 0 : source.size
  return binary.size + Math.max(packed, binary.unpack === 'tar' ? binary.size : 0)
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
  const fetched = await fetchFile(home.disk, join(home.staging, partialName(source)), source, options)
  if (source.encoding === undefined) return fetched
  const unpacked = join(home.staging, `${binary.sha256}.unverified`)
  try {
    await decompress(home.disk, fetched, unpacked, binary, options.signal)
  } catch (error) {
    await discard(home.disk, unpacked)
    // What was only interrupted is whole, and the next attempt begins with it.
    if (options.signal?.aborted !== true) await discard(home.disk, fetched)
    throw toFileError(error, unpacked)
  }
  await discard(home.disk, fetched)
  return unpacked
}

async function decompress(disk: Disk, from: string, to: string, binary: Binary, signal?: AbortSignal): Promise<void> {
  await disk.removeTree(to)
  const output = await disk.create(to, 0o600)
  try {
    // Not pipe(): an error of the disk would end the process, and an end before that of the input would never come.
    const unpacked = pipeline(createReadStream(from), createBrotliDecompress(), () => undefined)
    try {
      await writeBounded(output, unpacked, binary.size, signal)
    } catch (cause) {
      signal?.throwIfAborted()
      if (isMoultError(cause) || (cause instanceof Error && 'syscall' in cause)) throw cause
      throw new MoultError('ERR_BYTES_ENCODING', 'the compressed download does not unpack', { cause })
    } finally {
      unpacked.destroy()
    }
    await assertContent(output, binary, signal)
  } finally {
    await output.close()
  }
}

async function writeBounded(
  output: DiskFile,
  chunks: AsyncIterable<Buffer>,
  size: number,
  signal?: AbortSignal,
): Promise<void> {
  let written = 0
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    written += chunk.length
    if (written > size) throw new MoultError('ERR_BYTES_SIZE', `more than ${size} bytes: the unpacked artifact`)
    await output.write(chunk, written - chunk.length)
  }
}
