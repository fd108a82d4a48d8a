// Unpacks the archive of a tree. Only regular files and directories with plain names come out; anything else in the
// archive refuses all of it. Its bytes are hashed once more as they are read: the file may have been exchanged since the
// download was verified.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { ReadEntry } from 'tar'

import { entryPathShape, isMoultError, isPortablePath, MoultError } from '../../manifests/index.ts'
import type { Disk } from '../home/disk.ts'
import { RECEIPT_NAME, SUMS_NAME } from '../home/receipt.ts'
import type { FileSum } from '../home/sums.ts'

const ENTRIES_MAX = 100_000
const BLOCK_BYTES = 512
/** How gzip and Zstandard begin. */
const COMPRESSED = /^(?:\x1f\x8b|\x28\xb5\x2f\xfd)/

/** The record of a pax header: its own length in bytes, a name, and a value. */
const PAX_RECORD = /^([1-9][0-9]{0,5}) ([^\0-\x1f=]+)=([^\0-\x1f\x7f]*)$/

/**
 * @param expected of the archive, which is not compressed: no more than its own size may come out of it
 * @returns the files that came out
 * @throws MoultError ERR_STAGE_ARCHIVE, ERR_BYTES_HASH, a file error, or the reason of `signal`; the caller removes
 * `target`
 */
export async function unpackTar(
  disk: Disk,
  archive: string,
  target: string,
  expected: { readonly size: number; readonly sha256: string },
  signal?: AbortSignal,
): Promise<FileSum[]> {
  const files: FileSum[] = []
  const directories = new Set([target])
  const names = new Map<string, Listed>()
  let total = 0
  const take = async (entry: ReadEntry): Promise<void> => {
    signal?.throwIfAborted()
    const path = checkedPath(entry, names)
    total += entry.size
    if (total > expected.size || names.size > ENTRIES_MAX) throw refusal('more than the archive can hold', entry.path)
    const place = join(target, path)
    for (
      let parent = entry.type === 'Directory' ? place : dirname(place);
      !directories.has(parent);
      parent = dirname(parent)
    ) {
      directories.add(parent)
    }
    disk.makeDirectory(entry.type === 'Directory' ? place : dirname(place), 0o755)
    if (entry.type === 'Directory') entry.resume()
    else files.push({ path, sha256: await writeEntry(disk, entry, place, signal) })
  }
  // The parser drops a last block that is cut off without a word.
  if ((await stat(archive)).size % BLOCK_BYTES !== 0) throw refusal('not a sound tar', 'cut off')
  const sha256 = await readEntries(archive, take, signal)
  if (sha256 !== expected.sha256) {
    throw new MoultError('ERR_BYTES_HASH', 'the archive was exchanged after its download', {
      details: { sha256, expected: expected.sha256 },
    })
  }
  for (const directory of directories) {
    disk.syncDirectory(directory)
    // These calls block: between them the program, and whoever wants to abort, have their turn.
    await nextTurn()
    signal?.throwIfAborted()
  }
  return files
}

/**
 * Hands over one entry after the other: the parser waits while an entry's body is unread.
 * @returns the hash of all bytes that were read
 */
async function readEntries(
  archive: string,
  take: (entry: ReadEntry) => Promise<void>,
  signal?: AbortSignal,
): Promise<string> {
  // Loaded when the first tree comes: most agents are one file, and never need it.
  const { Parser } = await import('tar')
  const hash = createHash('sha256')
  let work = Promise.resolve()
  let current: ReadEntry | undefined
  let failure: Error | undefined
  const parser = new Parser({ strict: true, maxMetaEntrySize: 64 * 1024 })
  return new Promise<string>((resolve, reject) => {
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
    parser.on('meta', (text: string) => {
      if (!isSoundHeader(text)) fail(refusal('a header that names no file', text))
    })
    parser.on('error', fail)
    parser.on('warn', (_code: string, message: string | Error) => fail(refusal('not a sound tar', String(message))))
    parser.on(
      'end',
      () => void work.then(() => (failure === undefined ? resolve(hash.digest('hex')) : undefined), fail),
    )
    input.on('error', fail)
    input.once('data', (chunk) => {
      // The parser would unpack these of its own accord, and what comes out has no signed size.
      if (COMPRESSED.test((chunk as Buffer).toString('latin1', 0, 4))) fail(refusal('compressed', archive))
    })
    input.on('data', (chunk) => {
      hash.update(chunk)
      if (!input.destroyed && !parser.write(chunk as Buffer)) input.pause()
    })
    parser.on('drain', () => input.resume())
    input.on('end', () => parser.end())
  })
}

/** The parser passes over records that it cannot read, and ends a value at a NUL: others would see another name. */
function isSoundHeader(text: string): boolean {
  if (!PAX_RECORD.test(text.split('\n', 1)[0] ?? '')) return /^[^\0-\x1f]+\0?$/.test(text)
  const lines = text.split('\n')
  return (
    lines.pop() === '' &&
    lines.every((line) => {
      const [, length, key, value] = PAX_RECORD.exec(line) ?? []
      return Number(length) === Buffer.byteLength(line) + 1 && (key !== 'size' || /^[0-9]{1,15}$/.test(value ?? ''))
    })
  )
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
  if (!isPortablePath(path)) throw refusal('a name that Windows cannot store', entry.path)
  if ([RECEIPT_NAME, SUMS_NAME].includes(path.toLowerCase())) throw refusal('a reserved name', entry.path)
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

/** @returns the hash of what was written */
async function writeEntry(disk: Disk, entry: ReadEntry, place: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const isExecutable = ((entry.mode ?? 0) & 0o111) !== 0
  const file = await disk.create(place, isExecutable ? 0o755 : 0o644)
  try {
    let at = 0
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      signal?.throwIfAborted()
      hash.update(chunk)
      await file.write(chunk, at)
      at += chunk.length
    }
    if (at !== entry.size) throw refusal('a cut-off entry', entry.path)
    await file.sync()
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}

function refusal(reason: string, path: string): MoultError {
  const shown = JSON.stringify(path).slice(0, 200)
  return new MoultError('ERR_STAGE_ARCHIVE', `${reason}: ${shown}`, { details: { path: shown } })
}
