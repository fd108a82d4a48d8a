// A Disk that does the real thing and notes each step of it as a file system sees it. What the port does in one call,
// such as to make a small file whole, is several steps here: the power may fail between any two.

import { lstatSync, readdirSync, rmdirSync, statSync, unlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

import { type Disk, disk as realDisk, type DiskFile } from '../../agent/home/disk.ts'
import type { Operation } from './operations.ts'

export class RecordingDisk implements Disk {
  readonly operations: Operation[] = []
  readonly #root: string
  /** Files that are open for writing: their data goes by their name, so they must keep it. */
  readonly #open = new Set<string>()

  /** @param root everything that is changed must lie in it */
  constructor(root: string) {
    this.#root = root
  }

  mark(name: string): void {
    this.operations.push({ kind: 'mark', name })
  }

  writeFile(path: string, content: Uint8Array, mode: number): void {
    realDisk.writeFile(path, content, mode)
    this.#note({ kind: 'create', path, mode: modeOf(path) })
    this.#noteContent(path, 0, content)
  }

  append(path: string, content: Uint8Array, mode: number): void {
    const before = statSync(path, { throwIfNoEntry: false })
    realDisk.append(path, content, mode)
    if (before === undefined) this.#note({ kind: 'create', path, mode: modeOf(path) })
    this.#noteContent(path, before?.size ?? 0, content)
  }

  async create(path: string, mode: number): Promise<DiskFile> {
    const file = await realDisk.create(path, mode)
    this.#note({ kind: 'create', path, mode: modeOf(path) })
    return this.#recorded(path, file)
  }

  async open(path: string): Promise<DiskFile> {
    return this.#recorded(path, await realDisk.open(path))
  }

  rename(from: string, to: string): void {
    for (const path of this.#open) {
      if (path === from || path.startsWith(`${from}/`)) throw new Error(`renamed while it is written: ${path}`)
    }
    realDisk.rename(from, to)
    this.#note({ kind: 'rename', path: from, to: relative(this.#root, to) })
  }

  remove(path: string): void {
    const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined
    realDisk.remove(path)
    if (isThere) this.#note({ kind: 'unlink', path })
  }

  /** File by file, in an order of its own: any other is among the states that follow from lost changes. */
  removeTree(path: string): Promise<void> {
    return Promise.resolve().then(() => this.#removeAll(path))
  }

  makeDirectory(path: string, mode: number): void {
    const fresh: string[] = []
    for (let each = path; !isThere(each); each = dirname(each)) fresh.unshift(each)
    realDisk.makeDirectory(path, mode)
    for (const each of fresh) this.#note({ kind: 'mkdir', path: each, mode: modeOf(each) })
  }

  chmod(path: string, mode: number): void {
    realDisk.chmod(path, mode)
    this.#note({ kind: 'chmod', path, mode: modeOf(path) })
  }

  touch(path: string, ms: number): void {
    realDisk.touch(path, ms)
    this.#note({ kind: 'touch', path })
  }

  syncDirectory(path: string): void {
    realDisk.syncDirectory(path)
    this.#note({ kind: 'fsync-directory', path })
  }

  #removeAll(path: string): void {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return
    if (!stat.isDirectory()) {
      unlinkSync(path)
      return this.#note({ kind: 'unlink', path })
    }
    for (const name of readdirSync(path).toSorted()) this.#removeAll(join(path, name))
    rmdirSync(path)
    this.#note({ kind: 'rmdir', path })
  }

  #noteContent(path: string, at: number, content: Uint8Array): void {
    if (content.length > 0) this.#note({ kind: 'write', path, at, bytes: Uint8Array.from(content) })
    this.#note({ kind: 'fsync', path })
  }

  #recorded(path: string, file: DiskFile): DiskFile {
    this.#open.add(path)
    return {
      size: () => file.size(),
      read: () => file.read(),
      write: async (bytes, at) => {
        await file.write(bytes, at)
        this.#note({ kind: 'write', path, at, bytes: Uint8Array.from(bytes) })
      },
      truncate: async (size) => {
        await file.truncate(size)
        this.#note({ kind: 'truncate', path, size })
      },
      sync: async () => {
        await file.sync()
        this.#note({ kind: 'fsync', path })
      },
      close: async () => {
        this.#open.delete(path)
        await file.close()
      },
    }
  }

  #note(operation: Exclude<Operation, { kind: 'mark' }>): void {
    const path = relative(this.#root, operation.path)
    if (path.startsWith('..')) throw new Error(`outside of what is recorded: ${operation.path}`)
    this.operations.push({ ...operation, path })
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777
}
