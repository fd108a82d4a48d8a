// Unpacks the archive of a tree. Only regular files and directories with plain names come out; anything else in the
// archive refuses all of it. Its bytes were verified before, so this guards against a broken or stolen build.

import { createReadStream } from 'node:fs'
import { mkdir, open, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { ReadEntry } from 'tar'

import { entryPathShape, isMoultError, MoultError } from '../manifests/index.ts'
import { writeAll } from './artifact-file.ts'
import { syncDirectory } from './durable-file.ts'
import { RECEIPT_NAME } from './receipt.ts'

const ENTRIES_MAX = 100_000
const BLOCK_BYTES = 512
/** How gzip and Zstandard begin. */
const COMPRESSED = /^(?:\x1f\x8b|\x28\xb5\x2f\xfd)/

/**
 * @param limit total bytes that may come out: the archive is not compressed, so never more than its own size
 * @throws MoultError ERR_STAGE_ARCHIVE, a file error, or the reason of `signal`; the caller removes `target`
 */
export async function unpackTar(archive: string, target: string, limit: number, signal?: AbortSignal): Promise<void> {
  const directories = new Set([target])
  const names = new Map<string, Listed>()
  let total = 0
  const take = async (entry: ReadEntry): Promise<void> => {
    signal?.throwIfAborted()
    const path = checkedPath(entry, names)
    total += entry.size
    if (total > limit || names.size > ENTRIES_MAX) throw refusal('more than the archive can hold', entry.path)
    const place = join(target, path)
    for (
      let parent = entry.type === 'Directory' ? place : dirname(place);
      !directories.has(parent);
      parent = dirname(parent)
    ) {
      directories.add(parent)
    }
    await mkdir(entry.type === 'Directory' ? place : dirname(place), { recursive: true, mode: 0o755 })
    if (entry.type === 'Directory') entry.resume()
    else await writeEntry(entry, place, signal)
  }
  // The parser drops a last block that is cut off without a word.
  if ((await stat(archive)).size % BLOCK_BYTES !== 0) throw refusal('not a sound tar', 'cut off')
  await readEntries(archive, take, signal)
  for (const directory of directories) {
    syncDirectory(directory)
    // These calls block: between them the program, and whoever wants to abort, have their turn.
    await nextTurn()
    signal?.throwIfAborted()
  }
}

/** Hands over one entry after the other: the parser waits while an entry's body is unread. */
async function readEntries(
  archive: string,
  take: (entry: ReadEntry) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  // Loaded when the first tree comes: most agents are one file, and never need it.
  const { Parser } = await import('tar')
  let work = Promise.resolve()
  let current: ReadEntry | undefined
  let failure: Error | undefined
  const parser = new Parser({ strict: true, maxMetaEntrySize: 64 * 1024 })
  await new Promise<void>((resolve, reject) => {
    const input = createReadStream(archive)
    const fail = (error: Error): void => {
      if (failure !== undefined) return
      const isOurs = isMoultError(error) || 'syscall' in error || signal?.aborted === true
      const cause = isOurs ? error : refusal('not a sound tar', error.message)
      failure = cause
      input.destroy()
      // Ends a write that waits for more of its entry: the caller removes the tree, and nothing may still be made in it.
      current?.destroy()
      void work.catch(() => undefined).then(() => reject(cause))
    }
    parser.on('entry', (entry: ReadEntry) => {
      current = entry
      work = work.then(() => (failure === undefined ? take(entry) : undefined))
      work.catch(fail)
    })
    // Not skipped in silence: without a header that was too large, the next entry would come out under another name.
    parser.on('ignoredEntry', (entry: ReadEntry) => fail(refusal(`an entry of type ${entry.type}`, entry.path)))
    parser.on('error', fail)
    parser.on('warn', (_code: string, message: string | Error) => fail(refusal('not a sound tar', String(message))))
    parser.on('end', () => void work.then(() => (failure === undefined ? resolve() : undefined), fail))
    input.on('error', fail)
    input.once('data', (chunk) => {
      // The parser would unpack these of its own accord, and what comes out has no signed size.
      if (COMPRESSED.test((chunk as Buffer).toString('latin1', 0, 4))) fail(refusal('compressed', archive))
    })
    input.on('data', (chunk) => {
      if (!input.destroyed && !parser.write(chunk as Buffer)) input.pause()
    })
    parser.on('drain', () => input.resume())
    input.on('end', () => parser.end())
  })
}

interface Listed {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'parent'
}

/** @param names what the archive has so far, by its name in lower case: names that differ in case only are one file on some systems */
function checkedPath(entry: ReadEntry, names: Map<string, Listed>): string {
  if (entry.type !== 'File' && entry.type !== 'Directory') throw refusal(`an entry of type ${entry.type}`, entry.path)
  const kind = entry.type === 'File' ? 'file' : 'directory'
  const path = entry.path.replace(/\/$/, '')
  try {
    entryPathShape.check(path, 'path')
  } catch {
    throw refusal('a name that is not allowed', entry.path)
  }
  if (path.toLowerCase() === RECEIPT_NAME) throw refusal('a reserved name', entry.path)
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    const listed = names.get(parent.toLowerCase())
    if (listed === undefined) names.set(parent.toLowerCase(), { path: parent, kind: 'parent' })
    else if (listed.kind === 'file' || listed.path !== parent)
      throw refusal('a name that clashes with another', entry.path)
  }
  const twin = names.get(path.toLowerCase())
  const isKnownParent = twin?.kind === 'parent' && twin.path === path && kind === 'directory'
  if (twin !== undefined && !isKnownParent) throw refusal('an entry twice', entry.path)
  names.set(path.toLowerCase(), { path, kind })
  return path
}

async function writeEntry(entry: ReadEntry, place: string, signal?: AbortSignal): Promise<void> {
  const isExecutable = ((entry.mode ?? 0) & 0o111) !== 0
  const file = await open(place, 'wx', isExecutable ? 0o755 : 0o644)
  try {
    let at = 0
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      signal?.throwIfAborted()
      await writeAll(file, chunk, at)
      at += chunk.length
    }
    if (at !== entry.size) throw refusal('a cut-off entry', entry.path)
    await file.sync()
  } finally {
    await file.close()
  }
}

function refusal(reason: string, path: string): MoultError {
  const shown = JSON.stringify(path).slice(0, 200)
  return new MoultError('ERR_STAGE_ARCHIVE', `${reason}: ${shown}`, { details: { path: shown } })
}
