import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { entryPathShape, isPortablePath, MoultError } from '../manifests/index.ts'

export interface TreeEntry {
  /** Relative, with `/`. */
  readonly path: string
  readonly kind: 'file' | 'directory'
  readonly isExecutable: boolean
}

/** The agent's updater writes these files into each unpacked version. */
const RESERVED_NAMES = ['.receipt', '.sha256sums']

export interface ListOptions {
  /** Of a version that is installed: what the updater has written there is no part of it. */
  readonly isInstalled?: boolean
}

/**
 * Lists a tree in the order of its paths' bytes: the same on every machine and in every language.
 * @throws MoultError ERR_BUILD_FAILED for what an agent would not unpack
 */
export async function listTree(root: string, { isInstalled = false }: ListOptions = {}): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = []
  const folded = new Map<string, string>()
  const visit = async (folder: string): Promise<void> => {
    for (const name of await readdir(join(root, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`
      if (isInstalled && RESERVED_NAMES.includes(path)) continue
      assertName(path)
      const twin = folded.get(path.toLowerCase())
      if (twin !== undefined) throw refuse(`differs from ${twin} in case only`, path)
      folded.set(path.toLowerCase(), path)
      const facts = await lstat(join(root, path))
      if (facts.isDirectory()) {
        entries.push({ path, kind: 'directory', isExecutable: true })
        await visit(path)
      } else if (facts.isFile()) {
        entries.push({ path, kind: 'file', isExecutable: (facts.mode & constants.S_IXUSR) !== 0 })
      } else {
        throw refuse(facts.isSymbolicLink() ? 'a symbolic link' : 'neither a file nor a directory', path)
      }
    }
  }
  await visit('')
  return entries.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

/** Opens a file of the tree, and only a file: it may have become a link or a pipe since it was listed. */
export function openEntry(root: string, path: string): ReturnType<typeof open> {
  return open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}

function assertName(path: string): void {
  if (RESERVED_NAMES.includes(path.toLowerCase())) throw refuse('a name that the updater uses', path)
  try {
    entryPathShape.check(path, 'path')
  } catch {
    throw refuse('a name with other characters than A-Z a-z 0-9 _ + @ . -', path)
  }
  if (!isPortablePath(path)) throw refuse('a name that Windows cannot store', path)
}

function refuse(reason: string, path: string): MoultError {
  return new MoultError('ERR_BUILD_FAILED', `not allowed in an artifact (${reason}): ${path}`, {
    hint: 'An artifact holds regular files and directories, with names that every system can store.',
    details: { path },
  })
}
