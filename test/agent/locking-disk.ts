// A disk that answers as Windows does, on whatever system the tests run: the rules are those that were seen there.
//
// - a running executable: cannot be removed, written to, or renamed over; can be renamed
// - a file that a scanner has open: can be neither removed nor renamed nor renamed over, for the first calls
// - a directory: cannot be renamed while anything in it runs or is open, nor onto one that is there

import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join, sep } from 'node:path'

import { disk, type Disk, type DiskFile } from '../../agent/home/disk.ts'

export class LockingDisk implements Disk {
  /** Paths of executables that run. */
  readonly running = new Set<string>()
  /** Paths that a scanner has open, and for how many calls that want them it still will. */
  readonly scanned = new Map<string, number>()
  /** Calls that were refused, as `what path`. */
  readonly refused: string[] = []
  /** Called before each rename; what it throws is the end of the process. */
  beforeRename: (from: string, to: string) => void = () => undefined

  writeFile(path: string, content: Uint8Array, mode: number): void {
    disk.writeFile(path, content, mode)
  }

  append(path: string, content: Uint8Array, mode: number): void {
    this.#assertFree('open', path)
    disk.append(path, content, mode)
  }

  create(path: string, mode: number): Promise<DiskFile> {
    return disk.create(path, mode)
  }

  async open(path: string): Promise<DiskFile> {
    this.#assertFree('open', path)
    return disk.open(path)
  }

  rename(from: string, to: string): void {
    this.beforeRename(from, to)
    const isDirectory = lstatSync(from, { throwIfNoEntry: false })?.isDirectory() === true
    if (isDirectory && existsSync(to)) this.#refuse('rename', to, 'EPERM')
    if (isDirectory) this.#assertFree('rename', from)
    else this.#assertNotScanned('rename', from)
    this.#assertFree('rename', to)
    disk.rename(from, to)
    if (this.running.delete(from)) this.running.add(to)
  }

  remove(path: string): void {
    this.#assertFree('unlink', path)
    disk.remove(path)
  }

  /** As `rm` does: what is free goes, also when something else is not. */
  async removeTree(path: string): Promise<void> {
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return this.remove(path)
    let failure: unknown
    for (const name of readdirSync(path)) {
      await this.removeTree(join(path, name)).catch((error: unknown) => (failure = error))
    }
    if (failure !== undefined) throw failure as Error
    await disk.removeTree(path)
  }

  makeDirectory(path: string, mode: number): void {
    disk.makeDirectory(path, mode)
  }

  chmod(path: string, mode: number): void {
    disk.chmod(path, mode)
  }

  touch(path: string, ms: number): void {
    disk.touch(path, ms)
  }

  syncDirectory(): void {
    // Windows has no such call.
  }

  #assertFree(call: string, path: string): void {
    for (const running of this.running)
      if (isIn(path, running)) this.#refuse(call, path, call === 'open' ? 'EBUSY' : 'EPERM')
    this.#assertNotScanned(call, path)
  }

  #assertNotScanned(call: string, path: string): void {
    for (const [scanned, calls] of this.scanned) {
      if (!isIn(path, scanned) || !existsSync(scanned)) continue
      if (calls <= 1) this.scanned.delete(scanned)
      else this.scanned.set(scanned, calls - 1)
      if (calls > 0) this.#refuse(call, path, 'EBUSY')
    }
  }

  #refuse(syscall: string, path: string, code: 'EPERM' | 'EBUSY'): never {
    this.refused.push(`${syscall} ${path}`)
    throw Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path })
  }
}

function isIn(path: string, file: string): boolean {
  return file === path || file.startsWith(path + sep)
}
