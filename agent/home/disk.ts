// The one way by which the updater changes the file system. Everything that an update does to a machine is in these few
// operations, so that a test can record them, cut the power between any two, or answer as a locking system would.
// Reading needs no port: what is read is what these left behind.

import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'

import { windowsDisk } from './windows-disk.ts'
import { dirname } from 'node:path'

import { isErrno } from './file-error.ts'

/** Errors are those of node:fs; whoever knows the subject types them (file-error.ts). */
export interface Disk {
  /**
   * Makes a small file whole: its content is durable on return, its name only after `syncDirectory`. Synchronous, as
   * nothing else of this process may run in between. Fails when anything has that name, and leaves a part when it fails.
   */
  writeFile(path: string, content: Uint8Array, mode: number): void
  /** Adds to the end of a file, which is made if it is absent. The content is durable on return, a new name not yet. */
  append(path: string, content: Uint8Array, mode: number): void
  /** Makes an empty file to be filled. Fails when anything has that name. */
  create(path: string, mode: number): Promise<DiskFile>
  /** Opens a file that is there; fails for a symbolic link. */
  open(path: string): Promise<DiskFile>
  /** Replaces what `to` names in one step. Durable after `syncDirectory` of the directory of `to`. */
  rename(from: string, to: string): void
  /** Removes a file; one that is absent is no failure. */
  remove(path: string): void
  /** Removes whatever is there, with all that is in it. */
  removeTree(path: string): Promise<void>
  /** Makes a directory and its parents; one that is there stays as it is. */
  makeDirectory(path: string, mode: number): void
  chmod(path: string, mode: number): void
  /** Sets the modification time: milliseconds since 1970. */
  touch(path: string, ms: number): void
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): void
}

/** An open file: what was written, hashed and made durable through it is one and the same inode. */
export interface DiskFile {
  size(): Promise<number>
  /** Everything from the first byte to the last, in chunks that the next one overwrites. */
  read(): AsyncIterable<Buffer>
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>
  truncate(size: number): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0
const READ_CHUNK_BYTES = 256 * 1024

const plainDisk: Disk = {
  writeFile: (path, content, mode) => writeWhole(path, 'wx', content, mode),
  append: (path, content, mode) => writeWhole(path, 'a', content, mode),
  create: async (path, mode) => fileOf(await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, mode)),
  open: async (path) => fileOf(await open(path, constants.O_RDWR | NO_FOLLOW)),
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  makeDirectory,
  chmod: chmodSync,
  touch: (path, ms) => utimesSync(path, ms / 1000, ms / 1000),
  syncDirectory(path) {
    // Windows cannot open one, and has no need to.
    if (process.platform === 'win32') return
    const directory = openSync(path, 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  },
}

export const disk = process.platform === 'win32' ? windowsDisk(plainDisk) : plainDisk

function writeWhole(path: string, flags: string, content: Uint8Array, mode: number): void {
  const file = openSync(path, flags, mode)
  try {
    if (flags === 'wx') setMode(file, mode)
    // A full disk can take part of one write without an error: only the sum of the return values tells.
    for (let at = 0; at < content.length;) at += writeSync(file, content, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Whatever the umask was. By the descriptor, as the name may be another file's by now where others can write. */
function setMode(file: number, mode: number): void {
  if ((fstatSync(file).mode & 0o777) === mode) return
  try {
    fchmodSync(file, mode)
  } catch {
    // A file system without modes.
  }
}

/** Not mkdir's own `recursive`: on a full or read-only disk that reports ENOENT instead of the reason. */
function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    if (isErrno(error, 'EEXIST') && statSync(path).isDirectory()) return
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error
    makeDirectory(dirname(path), mode)
    mkdirSync(path, { mode })
  }
}

function fileOf(handle: FileHandle): DiskFile {
  return {
    size: async () => (await handle.stat()).size,
    async *read() {
      // One buffer: a stream makes a new one for each chunk, and an agent that hashes 100 MB would keep half of them a while.
      const chunk = Buffer.allocUnsafe(READ_CHUNK_BYTES)
      for (let at = 0; ;) {
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
        if (bytesRead === 0) return
        at += bytesRead
        yield chunk.subarray(0, bytesRead)
      }
    },
    async write(bytes, position) {
      for (let done = 0; done < bytes.length;) {
        done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
      }
    },
    truncate: (size) => handle.truncate(size),
    sync: () => handle.sync(),
    close: () => handle.close(),
  }
}
