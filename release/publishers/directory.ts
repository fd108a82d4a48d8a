// Publishes into a folder that a web server serves as it is.

import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { MoultError, sha256 } from '../../manifests/index.ts'
import { copyAndHash, digestOfFile, removeLeftovers, syncFolder, writeDurably } from '../durable-files.ts'
import { fileSystemError, isSystemError } from '../file-system-error.ts'
import { DEFAULT_CHANNEL, manifestPath } from '../layout.ts'
import { lockDirectory } from './directory-lock.ts'
import type { Publisher, PublishFile } from './publisher.ts'

export function openDirectory(dir: string, now: () => number): Publisher {
  const at = (path: string): string => join(resolve(dir), ...path.split('/'))

  return {
    target: dir,
    lock: () => guard(dir, () => lockDirectory(resolve(dir), now)),
    channels: () => guard(dir, () => listChannels(resolve(dir))),
    read: (path, maxBytes) => guard(path, () => readSmall(at(path), maxBytes)),
    digest: (path) => guard(path, () => digestOfFile(at(path))),
    putArtifact: (path, file) =>
      guard(path, async () => {
        await removeLeftovers(at(path))
        await writeDurably(at(path), { how: 'replace', fill: (target) => copyChecked(file, target, path) })
      }),
    putDocument: (path, bytes) => guard(path, () => createDocument(at(path), bytes, path)),
    replaceManifest: (path, bytes, expected) =>
      guard(path, () => replaceManifest(at(path), path, bytes, expected, now)),
  }
}

async function listChannels(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const isThere = [DEFAULT_CHANNEL, ...folders].map(
    async (channel) => (await digestOfFile(join(dir, ...manifestPath(channel).split('/')))) !== undefined,
  )
  const found = await Promise.all(isThere)
  return [DEFAULT_CHANNEL, ...folders].filter((_, index) => found[index] === true).toSorted()
}

async function readSmall(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  let handle: FileHandle
  try {
    handle = await open(file, constants.O_RDONLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { size } = await handle.stat()
    if (size > maxBytes) throw new MoultError('ERR_PUBLISH_FAILED', `larger than ${maxBytes} bytes: ${file}`)
    return new Uint8Array(await handle.readFile())
  } finally {
    await handle.close()
  }
}

async function copyChecked(file: PublishFile, target: FileHandle, path: string): Promise<void> {
  if ('bytes' in file.source) return target.writeFile(file.source.bytes)
  const source = await open(file.source.file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const written = await copyAndHash(source, target)
    if (written.sha256 !== file.sha256) {
      throw new MoultError('ERR_PUBLISH_FAILED', `changed since it was hashed: ${path}`, {
        details: { path, ...written },
      })
    }
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
    throw new MoultError('ERR_PUBLISH_EXISTS', `already published with other bytes: ${path}`, {
      hint: 'What is published stays as it is; release under a new version.',
      details: { path },
    })
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
  if ((await digestOfFile(file))?.sha256 !== expected) throw conflict(path)
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
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? conflict(path) : error
  }
}

function conflict(path: string): MoultError {
  return new MoultError('ERR_PUBLISH_CONFLICT', `changed by another release meanwhile: ${path}`, {
    hint: 'Nothing was overwritten; look at what is live now and release again.',
    details: { path },
  })
}

/** Errors of the file system become errors of publishing, with the path that was asked for. */
async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isSystemError(error) ? fileSystemError(error, path) : error
  }
}
