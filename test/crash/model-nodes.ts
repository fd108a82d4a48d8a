// The files and directories of file-system-model.ts.

import type { Tree, TreeEntry } from './tree.ts'

export type Node = FileNode | DirectoryNode

export type DataChange =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number }

export interface FileNode {
  readonly kind: 'file'
  readonly number: number
  content: Uint8Array
  mode: number
  /** What survives for certain. */
  durableContent: Uint8Array
  durableMode: number
  /** Since the last fsync. */
  changes: DataChange[]
}

export interface DirectoryNode {
  readonly kind: 'directory'
  readonly number: number
  readonly mode: number
  /** As the processes see it. */
  readonly names: Map<string, Node>
}

export function applyChange(content: Uint8Array, change: DataChange): Uint8Array {
  const size = change.kind === 'truncate' ? change.size : Math.max(content.length, change.at + change.bytes.length)
  const result = new Uint8Array(size)
  result.set(content.subarray(0, size))
  if (change.kind === 'write') result.set(change.bytes, change.at)
  return result
}

/** The tree below a directory, in the order in which its files were made. */
export function treeOf(
  root: DirectoryNode,
  namesOf: (directory: DirectoryNode) => ReadonlyMap<string, Node>,
  stateOf: (file: FileNode) => { readonly content: Uint8Array; readonly mode: number },
): Tree {
  const tree = new Map<string, TreeEntry>()
  const visit = (directory: DirectoryNode, path: string): void => {
    for (const [name, node] of [...namesOf(directory)].toSorted(([, a], [, b]) => a.number - b.number)) {
      const place = path + name
      if (node.kind === 'file') tree.set(place, { kind: 'file', ...stateOf(node) })
      else {
        tree.set(place, { kind: 'directory', mode: node.mode })
        visit(node, `${place}/`)
      }
    }
  }
  visit(root, '')
  return tree
}
