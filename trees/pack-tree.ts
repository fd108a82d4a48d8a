// One tar archive for a tree, the same bytes for the same content on every machine: sorted, without times, owners or other
// modes than 0644 and 0755. So a release and an agent that has the tree unpacked come to the same archive. `tar` makes the
// headers; the rest of an archive is these few lines, and their order is ours.

import { constants } from 'node:fs'
import { Header, Pax } from 'tar'

import { MoultError } from '../manifests/index.ts'
import { type ListOptions, listTree, openEntry, type TreeEntry } from './list-tree.ts'

const BLOCK_BYTES = 512
const CHUNK_BYTES = 1024 * 1024
const EPOCH = new Date(0)

export interface PackOptions extends ListOptions {
  /** Path of the program in it: it is executable wherever it was unpacked, whatever it is here. */
  readonly entry?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The archive in pieces, each good until the next one is asked for.
 * @throws MoultError ERR_BUILD_FAILED for what an agent would not unpack
 */
export async function* packTree(root: string, options: PackOptions = {}): AsyncGenerator<Uint8Array> {
  // A tree of many small files is written in few steps.
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  let filled = 0
  for await (const piece of piecesOf(root, options)) {
    for (let done = 0; done < piece.length;) {
      const count = piece.copy(chunk, filled, done)
      done += count
      filled += count
      if (filled < chunk.length) continue
      yield chunk
      filled = 0
    }
  }
  yield chunk.subarray(0, filled)
}

async function* piecesOf(root: string, { entry: program, signal, ...options }: PackOptions): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  for (const entry of await listTree(root, options)) {
    signal?.throwIfAborted()
    if (entry.kind === 'directory') yield headerOf(entry, 0)
    else yield* packFile(root, entry, buffer, entry.path === program)
  }
  yield Buffer.alloc(2 * BLOCK_BYTES)
}

async function* packFile(root: string, entry: TreeEntry, buffer: Buffer, isProgram: boolean): AsyncGenerator<Buffer> {
  const file = await openEntry(root, entry.path)
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw changed(entry.path)
    yield headerOf({ ...entry, isExecutable: isProgram || (facts.mode & constants.S_IXUSR) !== 0 }, facts.size)
    let done = 0
    while (done < facts.size) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, facts.size - done), done)
      if (bytesRead === 0) throw changed(entry.path)
      yield buffer.subarray(0, bytesRead)
      done += bytesRead
    }
    if ((await file.read(buffer, 0, 1, done)).bytesRead > 0) throw changed(entry.path)
    yield Buffer.alloc((BLOCK_BYTES - (facts.size % BLOCK_BYTES)) % BLOCK_BYTES)
  } finally {
    await file.close()
  }
}

function headerOf(entry: TreeEntry, size: number): Buffer {
  const isDirectory = entry.kind === 'directory'
  const fields = {
    path: isDirectory ? `${entry.path}/` : entry.path,
    mode: entry.isExecutable ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: EPOCH,
  }
  const header = new Header({ ...fields, type: isDirectory ? 'Directory' : 'File' })
  const block = Buffer.alloc(BLOCK_BYTES)
  if (!header.encode(block)) return block
  // A path that the old header has no room for, or a file beyond 8 GB.
  return Buffer.concat([new Pax({ path: fields.path, size }).encode(), block])
}

function changed(path: string): MoultError {
  return new MoultError('ERR_BUILD_FAILED', `changed while it was packed: ${path}`, {
    hint: 'Is a build still running?',
    details: { path },
  })
}
