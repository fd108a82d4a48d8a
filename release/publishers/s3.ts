// Publishes into a bucket of S3 or of a compatible service. Every write of something that must not be overwritten
// carries a condition that the service itself checks.

import { MANIFEST_MAX_BYTES, sha256 } from '../../manifests/index.ts'
import { DEFAULT_CHANNEL, manifestPath } from '../layout.ts'
import type { Surroundings } from '../surroundings.ts'
import type { S3Config } from './publish-config.ts'
import { documentExists, manifestConflict } from './publish-conflict.ts'
import type { Publisher, Unlock } from './publisher.ts'
import { digestOfStream } from './read-stream.ts'
import { connectS3, type S3Connection } from './s3-client.ts'
import { linkTo } from './s3-link.ts'
import { LOCK_PATH, lockBucket } from './s3-lock.ts'
import { listFolders, listObjects, openObject, putObject, readObject, removeObject } from './s3-objects.ts'
import { abortLeftUploads } from './s3-sweep.ts'
import { uploadArtifact } from './s3-upload.ts'

/** @throws MoultError ERR_CONFIG_MISSING without the packages of the SDK */
export async function openS3(config: S3Config, around: Surroundings): Promise<Publisher> {
  const isConditional = config.conditional !== false
  let lost: AbortSignal | undefined
  // A new one for each request: the SDK leaves its listeners behind, and the caller's signal lives long.
  const signal = (): AbortSignal => AbortSignal.any(lost === undefined ? [around.signal] : [around.signal, lost])
  const s3 = await connectS3(config, around.env, signal)

  const lock = async (purpose?: string): Promise<Unlock> => {
    if (!isConditional) {
      around.on({ kind: 'note', text: `nothing keeps two releases apart ("conditional": false): ${s3.target}` })
      return async () => {}
    }
    const held = await lockBucket(s3, config, around.now, purpose)
    lost = held.lost
    const unlock = async (): Promise<void> => {
      lost = undefined
      await held.release()
    }
    try {
      await abortLeftUploads(s3, around)
    } catch (error) {
      await unlock()
      throw error
    }
    return unlock
  }

  return {
    target: s3.target,
    lock,
    channels: () => listChannels(s3),
    list: async (prefix) => (await listObjects(s3, prefix)).filter(({ path }) => path !== LOCK_PATH).toSorted(byPath),
    read: async (path, maxBytes) => (await readObject(s3, path, maxBytes))?.bytes,
    open: async (path, stop) => (await openObject(s3, path, stop))?.body,
    digest: async (path) => {
      const found = await openObject(s3, path)
      return found && digestOfStream(found.body)
    },
    putArtifact: (path, file, onProgress = () => {}) => uploadArtifact(s3, config, path, file, onProgress),
    putDocument: (path, bytes) => createDocument(s3, config, path, bytes),
    replaceManifest: (path, bytes, expected) => replaceManifest(s3, config, path, bytes, expected),
    remove: (path) => removeObject(s3, path),
    clock: () => askClock(s3),
    link: (path, expiresMs) => linkTo(s3, path, expiresMs),
  }
}

async function listChannels(s3: S3Connection): Promise<string[]> {
  const candidates = [DEFAULT_CHANNEL, ...(await listFolders(s3))]
  const found = await Promise.all(
    candidates.map(async (channel) => (await readObject(s3, manifestPath(channel), MANIFEST_MAX_BYTES)) !== undefined),
  )
  return candidates.filter((_, index) => found[index] === true).toSorted()
}

async function createDocument(s3: S3Connection, config: S3Config, path: string, bytes: Uint8Array): Promise<void> {
  if (config.conditional === false) {
    const found = await readObject(s3, path, Math.max(MANIFEST_MAX_BYTES, bytes.length))
    if (found === undefined) await putObject(s3, config, path, bytes, { kind: 'none' })
    else if (sha256(found.bytes) !== sha256(bytes)) throw documentExists(path)
    return
  }
  const { kind } = await putObject(s3, config, path, bytes, { kind: 'absent' })
  if (kind === 'condition failed') throw documentExists(path)
}

async function replaceManifest(
  s3: S3Connection,
  config: S3Config,
  path: string,
  bytes: Uint8Array | undefined,
  expected: string | undefined,
): Promise<void> {
  const found = await readObject(s3, path, MANIFEST_MAX_BYTES)
  if ((found && sha256(found.bytes)) !== expected) throw manifestConflict(path, found?.bytes)
  // Deleting has no condition everywhere. It happens where a first release did not verify, under the lock.
  if (bytes === undefined) return removeObject(s3, path)
  const same = found === undefined ? ({ kind: 'absent' } as const) : ({ kind: 'same', etag: found.etag } as const)
  const condition = config.conditional === false ? ({ kind: 'none' } as const) : same
  const { kind } = await putObject(s3, config, path, bytes, condition)
  if (kind === 'stored') return
  throw manifestConflict(path, (await readObject(s3, path, MANIFEST_MAX_BYTES))?.bytes)
}

/** Any answer tells the time; this one also finds a wrong bucket or key before anything is built. */
async function askClock(s3: S3Connection): Promise<number> {
  await readObject(s3, manifestPath(DEFAULT_CHANNEL), MANIFEST_MAX_BYTES)
  return s3.hostTimeMs() ?? Date.now()
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : 1
}
