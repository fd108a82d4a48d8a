// A file system that keeps no more than POSIX promises. It is given the operations of a recording, and knows at any
// point what is certain to survive a power cut and what may be lost of it:
//
//   data        What was written to a file since its last fsync may be there whole, not at all, or in part; the file may
//               have its new size and zeros in place of the bytes, or be empty. fsync makes it certain, and with it the
//               mode of the file, but not the name by which it is found.
//   names       A creation, removal or rename is certain once the directory is flushed in which the name appears or
//               disappears; of a rename that is the directory of the new name. Until then each one may be lost by itself,
//               also one that others follow: the order in which names reach the disk is not that of the calls.
//   rename      One step: the old name goes when the new one comes, never one without the other. The file takes with it
//               what is certain of its data, and no more. What had the new name before is gone with the same step. Where an
//               earlier rename of it was lost, the file still has one name: the later one.
//   directories A directory that was made but whose own name is lost takes with it all that was made in it.
//   modes       A chmod is lost like data, and made certain by an fsync of the file.
//
// Real file systems lose less: most of them never let a later change of names overtake an earlier one.

import { basename, dirname } from 'node:path'

import { applyChange, type DirectoryNode, type FileNode, type Node, treeOf } from './model-nodes.ts'
import type { Operation } from './operations.ts'
import type { Tree } from './tree.ts'

/** One step of names: each name gets what it stands for from then on, or nothing. */
export interface NameChange {
  /** By whose flush the step becomes certain. */
  readonly flushedBy: DirectoryNode
  readonly steps: readonly { readonly directory: DirectoryNode; readonly name: string; readonly node?: Node }[]
  isDurable: boolean
}

/** What names stand for on the disk: by directory. */
export type Names = ReadonlyMap<DirectoryNode, ReadonlyMap<string, Node>>

export class FileSystemModel {
  readonly root: DirectoryNode
  #count = 0
  /** What is certain of the names, before `#changes`. */
  readonly #base = new Map<DirectoryNode, Map<string, Node>>()
  /** In order; the first of them is not certain. */
  #changes: NameChange[] = []
  readonly #files = new Set<FileNode>()

  /** @param start all of it certain */
  constructor(start: Tree) {
    this.root = this.#directory(0o755)
    for (const [path, entry] of start) {
      const node = entry.kind === 'directory' ? this.#directory(entry.mode) : this.#file(entry.mode)
      if (node.kind === 'file' && entry.kind === 'file') node.content = node.durableContent = entry.content
      const { directory, name } = this.#place(path)
      directory.names.set(name, node)
      this.#base.get(directory)?.set(name, node)
    }
  }

  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'create':
        return this.#link(operation.path, this.#file(operation.mode))
      case 'mkdir':
        return this.#link(operation.path, this.#directory(operation.mode))
      case 'write':
      case 'truncate': {
        const file = this.#fileAt(operation.path)
        file.changes.push(operation)
        file.content = applyChange(file.content, operation)
        return undefined
      }
      case 'chmod': {
        const node = this.#nodeAt(operation.path)
        if (node.kind === 'file') node.mode = operation.mode
        return undefined
      }
      case 'fsync': {
        const file = this.#fileAt(operation.path)
        file.changes = []
        file.durableContent = file.content
        file.durableMode = file.mode
        return undefined
      }
      case 'unlink':
      case 'rmdir': {
        const { directory, name } = this.#place(operation.path)
        return this.#change(directory, [{ directory, name }])
      }
      case 'rename': {
        const [from, to] = [this.#place(operation.path), this.#place(operation.to)]
        const node = this.#nodeAt(operation.path)
        return this.#change(to.directory, [from, { ...to, node }])
      }
      case 'fsync-directory':
        return this.#flush(operation.path)
      case 'touch':
      case 'mark':
        return undefined
    }
  }

  /** What the processes see now, which is what is left when they are killed and the machine goes on. */
  seen(): Tree {
    return treeOf(
      this.root,
      ({ names }) => names,
      ({ content, mode }) => ({ content, mode }),
    )
  }

  /** Changes of names that may be lost, in order. */
  pendingNames(): NameChange[] {
    return this.#changes.filter(({ isDurable }) => !isDurable)
  }

  /** Files with data or a mode that may be lost. */
  pendingFiles(): FileNode[] {
    return [...this.#files].filter((file) => file.changes.length > 0 || file.mode !== file.durableMode)
  }

  /** The disk when of the pending changes of names just `kept` have reached it. */
  namesAfter(kept: ReadonlySet<NameChange>): Names {
    const names = new Map([...this.#base].map(([directory, entries]) => [directory, new Map(entries)]))
    for (const change of this.#changes) {
      if (change.isDurable || kept.has(change)) applySteps(names, change)
    }
    return names
  }

  #link(path: string, node: Node): void {
    const { directory, name } = this.#place(path)
    if (directory.names.has(name)) throw new Error(`made twice: ${path}`)
    this.#change(directory, [{ directory, name, node }])
  }

  #change(flushedBy: DirectoryNode, steps: NameChange['steps']): void {
    for (const { directory, name, node } of steps) {
      if (node === undefined) directory.names.delete(name)
      else directory.names.set(name, node)
    }
    this.#changes.push({ flushedBy, steps, isDurable: false })
  }

  #flush(path: string): void {
    const directory = path === '' ? this.root : this.#nodeAt(path)
    for (const change of this.#changes) if (change.flushedBy === directory) change.isDurable = true
    while (this.#changes[0]?.isDurable === true) applySteps(this.#base, this.#changes.shift() as NameChange)
  }

  #place(path: string): { directory: DirectoryNode; name: string } {
    const parent = dirname(path)
    const directory = parent === '.' ? this.root : this.#nodeAt(parent)
    if (directory.kind !== 'directory') throw new Error(`not a directory: ${parent}`)
    return { directory, name: basename(path) }
  }

  #nodeAt(path: string): Node {
    const { directory, name } = this.#place(path)
    const node = directory.names.get(name)
    if (node === undefined) throw new Error(`not there: ${path}`)
    return node
  }

  #fileAt(path: string): FileNode {
    const node = this.#nodeAt(path)
    if (node.kind !== 'file') throw new Error(`not a file: ${path}`)
    return node
  }

  #file(mode: number): FileNode {
    const [content, number] = [new Uint8Array(), (this.#count += 1)]
    const file: FileNode = {
      kind: 'file',
      number,
      content,
      mode,
      durableContent: content,
      durableMode: mode,
      changes: [],
    }
    this.#files.add(file)
    return file
  }

  #directory(mode: number): DirectoryNode {
    const directory: DirectoryNode = { kind: 'directory', number: (this.#count += 1), mode, names: new Map() }
    this.#base.set(directory, new Map())
    return directory
  }
}

function applySteps(names: Map<DirectoryNode, Map<string, Node>>, { steps }: NameChange): void {
  for (const { directory, name, node } of steps) {
    const entries = names.get(directory)
    if (node === undefined) entries?.delete(name)
    else {
      for (const others of names.values()) removeNode(others, node)
      entries?.set(name, node)
    }
  }
}

function removeNode(names: Map<string, Node>, node: Node): void {
  for (const [name, each] of names) if (each === node) names.delete(name)
}
