import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createBrotliCompress, createBrotliDecompress } from 'node:zlib'

import { MoultError } from '../manifests/index.ts'
import { digestOfFile } from './durable-files.ts'
import { mapBounded } from './map-bounded.ts'
import type { Project } from './open-project.ts'
import type { Artifact, StagedFile } from './stage-artifacts.ts'
import { step, type Surroundings } from './surroundings.ts'

export interface Delta extends StagedFile {
  /** The version that it starts from, and the SHA-256 of that one's whole artifact. */
  readonly base: string
  readonly from: string
}

export interface CompressedArtifact extends Artifact {
  /** Undefined where compression does not pay. */
  readonly brotli?: StagedFile
  readonly deltas?: readonly Delta[]
}

interface Way {
  readonly quality: number
  readonly windowBits: number
}

/**
 * The best first. Of Node for Linux, 125 MB: 29.5 MB in 262 s, 30.8 MB in 169 s, 34.6 MB in 20 s. What gains less than it
 * costs: the window of 24 bits at quality 9 (0.6 % for 2.6 times the time); windows beyond 24 bits, which no decoder of
 * an agent of before takes (3.7 %, for 100 MB more memory there); zstd, for agents on Node 22.15 and later only (19: 32.0
 * MB in 60 s; 22 with a window of 128 MB: 30.8 MB in 80 s). A window of 24 bits costs an agent 20 MB of memory.
 */
const SLOW_WAYS: readonly Way[] = [
  { quality: 11, windowBits: 24 },
  { quality: 10, windowBits: 24 },
]
const FAST_WAY: Way = { quality: 9, windowBits: 22 }
/** Less than this saved is not worth another file. */
const WORTHWHILE_SHARE = 0.95
const CHUNK_BYTES = 256 * 1024
/** For all artifacts of a release; each has its share of it, with as many at once as zlib has threads. */
const TIME_LIMIT_MS = 90_000
const ZLIB_THREADS = 4
/** The most that a timer takes. */
const UNLIMITED_MS = 2 ** 31 - 1
/** Before that it cannot be said how long the rest will take. */
const TRIAL_MS = 2_000

/** Compresses all platforms at the same time (zlib has its own threads), equal artifacts once. */
export async function compressArtifacts(
  artifacts: readonly Artifact[],
  project: Project,
  around: Surroundings,
): Promise<CompressedArtifact[]> {
  const { compress = true } = project.config
  if (compress === false) return [...artifacts]
  const different = new Set(artifacts.map(({ file }) => file.sha256)).size
  const timeLimitMs = compress === 'fast' ? 0 : timeLimitOf(different)
  const known = new Map<string, Promise<StagedFile | undefined>>()
  return mapBounded(artifacts, atOnce(), around, async (artifact, inner): Promise<CompressedArtifact> => {
    const { file, platform } = artifact
    const job =
      known.get(file.sha256) ?? step(inner, 'compress', platform, () => compressFile(file, timeLimitMs, inner.signal))
    known.set(file.sha256, job)
    const brotli = await job
    return { ...artifact, ...(brotli === undefined ? {} : { brotli }) }
  })
}

export function timeLimitOf(files: number): number {
  return (TIME_LIMIT_MS * Math.min(files, atOnce())) / files
}

function atOnce(): number {
  return Math.min(availableParallelism(), ZLIB_THREADS)
}

/**
 * Undefined when the result is hardly smaller.
 * @param timeLimitMs for the slower ways; the fastest one takes what it takes
 * @throws MoultError ERR_BYTES_ENCODING when it does not unpack to the same
 */
export async function compressFile(
  file: StagedFile,
  timeLimitMs: number,
  signal: AbortSignal,
): Promise<StagedFile | undefined> {
  const path = `${file.path}.br`
  let isPacked = false
  for (const way of SLOW_WAYS)
    if (!isPacked && timeLimitMs > 0) isPacked = await pack(file, path, way, timeLimitMs, signal)
  if (!isPacked) await pack(file, path, FAST_WAY, UNLIMITED_MS, signal)
  const digest = await digestOfFile(path, signal)
  if (digest === undefined || digest.size > file.size * WORTHWHILE_SHARE) {
    await rm(path, { force: true })
    return undefined
  }
  await assertUnpacks(path, file, signal)
  return { path, ...digest }
}

/** False: it takes, or would take, longer than that. */
async function pack(
  file: StagedFile,
  path: string,
  { quality, windowBits }: Way,
  limitMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const tooSlow = new AbortController()
  const begun = performance.now()
  let taken = 0
  const watch = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      yield chunk
      taken += chunk.length
      const tookMs = performance.now() - begun
      if (tookMs > TRIAL_MS && (tookMs * file.size) / taken > limitMs) tooSlow.abort()
    }
  }
  const compress = createBrotliCompress({
    chunkSize: CHUNK_BYTES,
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_LGWIN]: windowBits,
      [constants.BROTLI_PARAM_SIZE_HINT]: file.size,
    },
  })
  const source = createReadStream(file.path, { highWaterMark: CHUNK_BYTES })
  const stop = AbortSignal.any([signal, tooSlow.signal])
  const timer = setTimeout(() => tooSlow.abort(), limitMs)
  try {
    await pipeline(source, watch, compress, createWriteStream(path, { mode: 0o600 }), { signal: stop })
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (tooSlow.signal.aborted) return false
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Unpacks as agents will. */
async function assertUnpacks(path: string, original: StagedFile, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256')
  const sink = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done()
    },
  })
  await pipeline(createReadStream(path), createBrotliDecompress(), sink.resume(), { signal })
  if (hash.digest('hex') !== original.sha256) {
    throw new MoultError('ERR_BYTES_ENCODING', `does not unpack to what was compressed: ${path}`, { details: { path } })
  }
}
