// A directory tree as a value: what a file system model ends with, and what a real directory holds.

import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type TreeEntry =
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'file'; readonly mode: number; readonly content: Uint8Array }

/** Entries by their path, parents before what is in them. */
export type Tree = ReadonlyMap<string, TreeEntry>

export function readTree(root: string): Tree {
  const tree = new Map<string, TreeEntry>()
  const visit = (directory: string): void => {
    for (const name of readdirSync(join(root, directory)).toSorted()) {
      const path = join(directory, name)
      const stat = lstatSync(join(root, path))
      const mode = stat.mode & 0o7777
      if (stat.isDirectory()) {
        tree.set(path, { kind: 'directory', mode })
        visit(path)
      } else if (stat.isFile()) {
        tree.set(path, { kind: 'file', mode, content: readFileSync(join(root, path)) })
      } else {
        throw new Error(`neither a file nor a directory: ${path}`)
      }
    }
  }
  visit('')
  return tree
}

/** Lays a tree out in an empty directory. Later entries get later times, as the launcher goes by those of receipts. */
export function writeTree(root: string, tree: Tree): void {
  const startS = Date.now() / 1000 - tree.size
  let order = 0
  for (const [path, entry] of tree) {
    const place = join(root, path)
    if (entry.kind === 'directory') mkdirSync(place)
    else writeFileSync(place, entry.content, { flag: 'wx' })
    chmodSync(place, entry.mode)
    order += 1
    if (entry.kind === 'file') utimesSync(place, startS + order, startS + order)
  }
}

function byPath(tree: Tree): Tree {
  return new Map([...tree].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const digests = new WeakMap<Uint8Array, string>()

/** Equal for equal trees. */
export function hashTree(tree: Tree): string {
  const hash = createHash('sha256')
  for (const [path, entry] of byPath(tree)) {
    hash.update(`${entry.kind} ${entry.mode} ${path} ${entry.kind === 'file' ? digestOf(entry.content) : ''}\n`)
  }
  return hash.digest('hex')
}

function digestOf(content: Uint8Array): string {
  const known = digests.get(content)
  if (known !== undefined) return known
  const digest = createHash('sha256').update(content).digest('hex')
  digests.set(content, digest)
  return digest
}

/** For people: what is where, with the first bytes of small files. */
export function describeTree(tree: Tree): string {
  return [...byPath(tree)]
    .map(([path, entry]) => {
      if (entry.kind === 'directory') return `${path}/ ${entry.mode.toString(8)}`
      const text = Buffer.from(entry.content).toString('latin1').slice(0, 80)
      return `${path} ${entry.mode.toString(8)} ${entry.content.length} ${JSON.stringify(text)}`
    })
    .join('\n')
}
