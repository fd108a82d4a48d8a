// Publishes into a folder that a web server serves as it is.

import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'

import { MANIFEST_MAX_BYTES, sha256 } from '../../manifests/index.ts'
import { copyAndHash, digestOfFile, isTemporary, removeLeftovers, syncFolder, writeDurably } from '../durable-files.ts'
import { fileSystemError, isSystemError } from '../file-system-error.ts'
import { DEFAULT_CHANNEL, manifestPath } from '../layout.ts'
import { lockDirectory } from './directory-lock.ts'
import { documentExists, manifestConflict } from './publish-conflict.ts'
import type { PublishedFile, Publisher, PublishFile } from './publisher.ts'
import { changedSinceHashed, collect } from './read-stream.ts'

export function openDirectory(dir: string, now: () => number): Publisher {
  const at = (path: string): string => join(resolve(dir), ...path.split('/'))

  return {
    target: dir,
    lock: (purpose) => guard(dir, () => lockDirectory(resolve(dir), now, purpose)),
    channels: () => guard(dir, () => listChannels(resolve(dir))),
    list: (prefix) => guard(dir, () => listFiles(resolve(dir), prefix)),
    read: (path, maxBytes) =>
      guard(path, async () => {
        const chunks = await openFile(at(path))
        return chunks === undefined ? undefined : collect(chunks, maxBytes, path)
      }),
    open: (path, signal) => guard(path, () => openFile(at(path), signal)),
    digest: (path) => guard(path, () => digestOfFile(at(path))),
    putArtifact: (path, file, onProgress) =>
      guard(path, async () => {
        await removeLeftovers(at(path))
        await writeDurably(at(path), { how: 'replace', fill: (target) => copyChecked(file, target, path, onProgress) })
      }),
    putDocument: (path, bytes) => guard(path, () => createDocument(at(path), bytes, path)),
    replaceManifest: (path, bytes, expected) =>
      guard(path, () => replaceManifest(at(path), path, bytes, expected, now)),
    remove: (path) =>
      guard(path, async () => {
        await rm(at(path), { force: true })
        await syncFolder(dirname(at(path))).catch(ignoreMissing)
      }),
  }
}

async function listChannels(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    ignoreMissing(error)
    return []
  })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const isThere = [DEFAULT_CHANNEL, ...folders].map(
    async (channel) => (await digestOfFile(join(dir, ...manifestPath(channel).split('/')))) !== undefined,
  )
  const found = await Promise.all(isThere)
  return [DEFAULT_CHANNEL, ...folders].filter((_, index) => found[index] === true).toSorted()
}

async function listFiles(dir: string, prefix: string): Promise<PublishedFile[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    ignoreMissing(error)
    return []
  })
  const files = entries
    .filter((entry) => entry.isFile() && !isTemporary(entry.name) && !entry.name.startsWith('.lock'))
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => path.startsWith(prefix))
    .toSorted()
  return Promise.all(files.map(async (path) => ({ path, size: (await stat(join(dir, ...path.split('/')))).size })))
}

async function openFile(file: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY)
    return handle.createReadStream({ signal })
  } catch (error) {
    ignoreMissing(error)
    return undefined
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}

async function copyChecked(
  file: PublishFile,
  target: FileHandle,
  path: string,
  onProgress: ((doneBytes: number) => void) | undefined,
): Promise<void> {
  if ('bytes' in file.source) {
    await target.writeFile(file.source.bytes)
    return onProgress?.(file.size)
  }
  const source = await open(file.source.file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const written = await copyAndHash(source, target, undefined, onProgress)
    if (written.sha256 !== file.sha256) throw changedSinceHashed(path, written)
  } finally {
    await source.close()
  }
}

async function createDocument(file: string, bytes: Uint8Array, path: string): Promise<void> {
  await removeLeftovers(file)
  try {
    await writeDurably(file, { how: 'create', fill: (target) => target.writeFile(bytes) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if ((await digestOfFile(file))?.sha256 === sha256(bytes)) return
    throw documentExists(path)
  }
}

async function replaceManifest(
  file: string,
  path: string,
  bytes: Uint8Array | undefined,
  expected: string | undefined,
  now: () => number,
): Promise<void> {
  await removeLeftovers(file)
  if ((await digestOfFile(file))?.sha256 !== expected) throw await conflictAt(file, path)
  if (bytes === undefined) {
    await rm(file, { force: true })
    return syncFolder(dirname(file))
  }
  // nginx and Caddy make ETags of size and whole seconds: two manifests of one size and second are a 304 for ever.
  const before = expected === undefined ? 0 : Math.ceil((await stat(file)).mtimeMs / 1000) + 1
  const mtime = Math.max(Math.floor(now() / 1000), before)
  try {
    const how = expected === undefined ? 'create' : 'replace'
    await writeDurably(file, { how, mtime, fill: (target) => target.writeFile(bytes) })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? await conflictAt(file, path) : error
  }
}

async function conflictAt(file: string, path: string): Promise<Error> {
  const live = await openFile(file)
  return manifestConflict(path, live === undefined ? undefined : await collect(live, MANIFEST_MAX_BYTES, path))
}

/** Errors of the file system become errors of publishing, with the path that was asked for. */
async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isSystemError(error) ? fileSystemError(error, path) : error
  }
}
