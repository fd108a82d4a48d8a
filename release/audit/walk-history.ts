// The manifests of a channel, back from one that was verified: each names the hash of the one before it, and each is kept
// under its hash. So what is found is what the publisher replaced, whoever can write to the place.

import {
  checkShape,
  type JsonObject,
  MANIFEST_MAX_BYTES,
  MoultError,
  parseStrictJson,
  type Release,
  releaseShape,
  type Rollout,
  rolloutShape,
  sha256,
} from '../../manifests/index.ts'
import { historyPath } from '../layout.ts'
import type { Publisher } from '../publishers/publisher.ts'

/** A manifest whose bytes are those that were meant; who signed it is another question. */
export interface PastManifest {
  readonly bytes: Uint8Array
  readonly sha256: string
  readonly document: JsonObject
  readonly release: Release
  readonly rollout: Rollout
}

/** The bytes of a path of the layout. @throws MoultError also when nothing is there */
export type ReadPath = (path: string) => Promise<Uint8Array>

/** @throws MoultError ERR_MANIFEST_* */
export function readPast(bytes: Uint8Array): PastManifest {
  const value = parseStrictJson(bytes)
  const release = checkShape(releaseShape, value, '')
  const document = value as JsonObject
  const rollout = checkShape(rolloutShape, document['rollout'], 'rollout')
  return { bytes, sha256: sha256(bytes), document, release, rollout }
}

/**
 * The manifest that this one replaced; undefined for the first of a channel.
 * @throws MoultError ERR_BYTES_HASH for other bytes, ERR_MANIFEST_*, or what `read` throws
 */
export async function readBefore({ rollout }: PastManifest, read: ReadPath): Promise<PastManifest | undefined> {
  if (rollout.previous === undefined) return undefined
  const path = historyPath(rollout.previous)
  const bytes = await read(path)
  if (sha256(bytes) === rollout.previous) return readPast(bytes)
  throw new MoultError('ERR_BYTES_HASH', `not the manifest that sequence ${rollout.sequence} replaced: ${path}`, {
    details: { path, sequence: rollout.sequence },
  })
}

export function readFrom(publisher: Publisher): ReadPath {
  return async (path) => {
    const bytes = await publisher.read(path, MANIFEST_MAX_BYTES)
    if (bytes !== undefined) return bytes
    throw new MoultError('ERR_NETWORK_STATUS', `not found in ${publisher.target}: ${path}`, { details: { path } })
  }
}
