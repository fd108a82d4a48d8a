// From a request target to a file inside the served folder, or to the status that refuses it. Judged on the raw target:
// `new URL` would fold `..` away and make an attack look like an ordinary miss.

import { realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'

export interface Refused {
  readonly kind: 'refused'
  readonly status: 400 | 403 | 404
}

export interface Target {
  readonly kind: 'target'
  /** Decoded names, at least one; none is empty, hidden, or holds a separator. */
  readonly segments: readonly string[]
}

export interface LocatedFile {
  readonly kind: 'file'
  /** Absolute, with every symbolic link resolved. */
  readonly path: string
}

// A proxy sends the absolute form, and RFC 9112 3.2.2 makes every server accept it.
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i
// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/
const SEPARATOR = /[/\\]/

export function parseTarget(rawTarget: string): Target | Refused {
  const path = rawTarget.replace(ABSOLUTE_FORM, '').replace(/[?#].*$/s, '')
  if (path === '') return refuse(404)
  if (!path.startsWith('/')) return refuse(400)

  const segments = path.slice(1).split('/').map(decode)
  const known = segments.filter((segment) => segment !== undefined)
  if (known.length < segments.length || known.some((segment) => CONTROL_CHARACTER.test(segment))) return refuse(400)
  if (known.some((segment) => segment === '..' || SEPARATOR.test(segment))) return refuse(403)
  // Locks and half-written files begin with a dot, and their existence is nobody's business. An empty name (`//`, or a
  // slash at the end) is a miss on S3 too; a server that folded it would hide a wrong URL until the first real deploy.
  if (known.some((segment) => segment === '' || segment.startsWith('.'))) return refuse(404)
  return { kind: 'target', segments: known }
}

/** Follows symbolic links, as long as they stay inside `dir`. Rejects with the plain error of node: ENOENT and so on. */
export async function locateFile(dir: string, segments: readonly string[]): Promise<LocatedFile | Refused> {
  // The folder's own path is resolved each time: a deploy may have pointed its link elsewhere.
  const [root, path] = await Promise.all([realpath(dir), realpath(join(dir, ...segments))])
  const inside = relative(root, path)
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return refuse(403)
  return { kind: 'file', path }
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

function refuse(status: Refused['status']): Refused {
  return { kind: 'refused', status }
}
