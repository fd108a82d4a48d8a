// An artifact of before, from where it is published: the packed download first, since all of it comes over a network.

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'

import { type Binary, MoultError, type Platform } from '../../manifests/index.ts'
import type { Digest } from '../durable-files.ts'
import { artifactPath } from '../layout.ts'
import type { Project } from '../open-project.ts'

export interface FormerArtifact {
  readonly version: string
  readonly platform: Platform
  /** As it was signed. */
  readonly binary: Binary
}

/**
 * When it returns, the file has the bytes that were signed.
 * @throws MoultError ERR_BYTES_* or ERR_PUBLISH_*, or what the place's connection throws
 */
export async function fetchArtifact(
  { version, platform, binary }: FormerArtifact,
  to: string,
  { publisher, name }: Pick<Project, 'publisher' | 'name'>,
  signal: AbortSignal,
): Promise<void> {
  const packed = binary.downloads?.find(({ encoding, from }) => encoding === 'br' && from === undefined)
  const whole = artifactPath(name, version, platform)
  signal.throwIfAborted()
  if (packed !== undefined) {
    try {
      return await take(await publisher.open(`${whole}.br`, signal), to, binary, signal, true)
    } catch {
      signal.throwIfAborted()
      // The whole one may be sound.
    }
  }
  return take(await publisher.open(whole, signal), to, binary, signal, false)
}

async function take(
  chunks: AsyncIterable<Uint8Array> | undefined,
  to: string,
  wanted: Digest,
  signal: AbortSignal,
  isPacked: boolean,
): Promise<void> {
  if (chunks === undefined) throw new MoultError('ERR_PUBLISH_FAILED', 'removed since')
  const hash = createHash('sha256')
  let size = 0
  const check = async function* (content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      size += chunk.length
      if (size > wanted.size) throw new MoultError('ERR_BYTES_SIZE', 'longer than signed')
      hash.update(chunk)
      yield chunk
    }
  }
  const target = createWriteStream(to, { mode: 0o600 })
  const source = Readable.from(chunks)
  if (isPacked) await pipeline(source, createBrotliDecompress(), check, target, { signal })
  else await pipeline(source, check, target, { signal })
  if (size === wanted.size && hash.digest('hex') === wanted.sha256) return
  await rm(to, { force: true })
  throw new MoultError('ERR_BYTES_HASH', 'not the signed bytes')
}
