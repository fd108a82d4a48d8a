import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createBrotliCompress, createBrotliDecompress } from 'node:zlib'

import { MoultError } from '../manifests/index.ts'
import { digestOfFile } from './durable-files.ts'
import { mapBounded } from './map-bounded.ts'
import type { Project } from './open-project.ts'
import type { Artifact, StagedFile } from './stage-artifacts.ts'
import { step, type Surroundings } from './surroundings.ts'

export interface CompressedArtifact extends Artifact {
  /** Undefined where compression does not pay. */
  readonly brotli?: StagedFile
}

const MEGABYTE = 1_000_000
/** Less than this saved is not worth another file. */
const WORTHWHILE_SHARE = 0.95
/** 4 MB: a larger window saves no more of an executable, takes three times as long, and costs agents memory. */
const WINDOW_BITS = 22
const CHUNK_BYTES = 256 * 1024

/** Compresses all platforms at the same time (zlib has its own threads), equal artifacts once. */
export async function compressArtifacts(
  artifacts: readonly Artifact[],
  project: Project,
  around: Surroundings,
): Promise<CompressedArtifact[]> {
  if (project.config.compress === false) return [...artifacts]
  const known = new Map<string, Promise<StagedFile | undefined>>()
  return mapBounded(artifacts, undefined, around, async (artifact, inner): Promise<CompressedArtifact> => {
    const { file, platform } = artifact
    const job = known.get(file.sha256) ?? step(inner, 'compress', platform, () => compressFile(file, inner.signal))
    known.set(file.sha256, job)
    const brotli = await job
    return { ...artifact, ...(brotli === undefined ? {} : { brotli }) }
  })
}

/** Undefined when the result is hardly smaller. @throws MoultError ERR_BYTES_ENCODING when it does not unpack to the same */
export async function compressFile(file: StagedFile, signal: AbortSignal): Promise<StagedFile | undefined> {
  const path = `${file.path}.br`
  const compress = createBrotliCompress({
    chunkSize: CHUNK_BYTES,
    params: {
      [constants.BROTLI_PARAM_QUALITY]: qualityFor(file.size),
      [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: file.size,
    },
  })
  const source = createReadStream(file.path, { highWaterMark: CHUNK_BYTES })
  await pipeline(source, compress, createWriteStream(path, { mode: 0o600 }), { signal })
  const digest = await digestOfFile(path, signal)
  if (digest === undefined || digest.size > file.size * WORTHWHILE_SHARE) {
    await rm(path, { force: true })
    return undefined
  }
  await assertUnpacks(path, file, signal)
  return { path, ...digest }
}

/** The best quality whose time stays within a few seconds: 11 takes 1 s a megabyte, 9 takes 0.1 s, 7 takes 0.05 s. */
export function qualityFor(size: number): number {
  if (size <= 4 * MEGABYTE) return 11
  return size <= 64 * MEGABYTE ? 9 : 7
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
