// One tar file for a tree, the same bytes for the same content on every machine: sorted, without times, owners or other
// modes than 0644 and 0755. `tar` makes the headers; the rest of an archive is these few lines, and their order is ours.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Header, Pax } from 'tar'

import { MoultError } from '../../manifests/index.ts'
import { listTree, openEntry, type TreeEntry } from './list-tree.ts'

const BLOCK_BYTES = 512
const CHUNK_BYTES = 1024 * 1024
const EPOCH = new Date(0)

/** @throws MoultError ERR_BUILD_FAILED for what an agent would not unpack */
export async function packTree(root: string, target: string, signal: AbortSignal): Promise<void> {
  const entries = await listTree(root)
  const out = await open(target, 'wx', 0o600)
  try {
    for (const entry of entries) {
      signal.throwIfAborted()
      if (entry.kind === 'directory') await out.appendFile(headerOf(entry, 0))
      else await appendFile(out, root, entry)
    }
    await out.appendFile(Buffer.alloc(2 * BLOCK_BYTES))
  } finally {
    await out.close()
  }
}

async function appendFile(out: FileHandle, root: string, entry: TreeEntry): Promise<void> {
  const file = await openEntry(root, entry.path)
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw changed(entry.path)
    await out.appendFile(headerOf({ ...entry, isExecutable: (facts.mode & constants.S_IXUSR) !== 0 }, facts.size))
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    let done = 0
    while (done < facts.size) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, facts.size - done), done)
      if (bytesRead === 0) throw changed(entry.path)
      await out.appendFile(buffer.subarray(0, bytesRead))
      done += bytesRead
    }
    if ((await file.read(buffer, 0, 1, done)).bytesRead > 0) throw changed(entry.path)
    await out.appendFile(Buffer.alloc((BLOCK_BYTES - (facts.size % BLOCK_BYTES)) % BLOCK_BYTES))
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
