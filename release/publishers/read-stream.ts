import { createHash } from 'node:crypto'

import { MoultError } from '../../manifests/index.ts'
import type { Digest } from '../durable-files.ts'

/** All of a stream that must be small. @throws MoultError ERR_PUBLISH_FAILED beyond the limit */
export async function collect(chunks: AsyncIterable<Uint8Array>, maxBytes: number, path: string): Promise<Uint8Array> {
  const kept: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > maxBytes) throw new MoultError('ERR_PUBLISH_FAILED', `larger than ${maxBytes} bytes: ${path}`)
    kept.push(chunk)
  }
  return new Uint8Array(Buffer.concat(kept))
}

export async function digestOfStream(chunks: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, sha256: hash.digest('hex') }
}

/** For a source that is not, or no longer, what was hashed before it was planned. */
export function changedSinceHashed(path: string, written: Digest): MoultError {
  return new MoultError('ERR_PUBLISH_FAILED', `changed since it was hashed: ${path}`, { details: { path, ...written } })
}
