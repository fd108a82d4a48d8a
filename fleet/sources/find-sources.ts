// From what a person names to logs: files, folders, patterns, standard input, buckets.

import { type Dirent, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, posix, sep } from 'node:path'

import { MoultError } from '../../manifests/errors.ts'
import { isInTime } from './log-names.ts'
import { type LogSource, sourceName } from './log-source.ts'
import { listObjects } from './s3-logs.ts'

export interface SourceOptions {
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
}

/**
 * @param names each a file, a folder, a pattern with `*`, `?` and `**`, `-` for standard input, or `s3://bucket/prefix`
 * @returns each log once, less those whose names say that they are of another time
 * @throws MoultError ERR_USAGE_INVALID for a name that means no log
 */
export async function findSources(names: readonly string[], options: SourceOptions = {}): Promise<LogSource[]> {
  const found = new Map<string, LogSource>()
  for (const name of names) {
    for (const source of await sourcesOf(name, options)) found.set(sourceName(source), source)
  }
  return [...found.values()]
}

async function sourcesOf(name: string, { sinceMs, untilMs }: SourceOptions): Promise<LogSource[]> {
  if (name === '-') return [{ kind: 'stdin', bytes: 0 }]
  if (name.startsWith('s3://')) return await listObjects(name, sinceMs, untilMs)
  const facts = statSync(name, { throwIfNoEntry: false })
  if (facts?.isDirectory() === true) {
    return filesOf(await walk(name)).filter(({ path }) => isInTime(path, sinceMs, untilMs))
  }
  // A pipe, such as `<(zcat ...)`, is read as it is.
  if (facts !== undefined) return [{ kind: 'file', path: name, bytes: facts.size }]
  if (!/[*?]/.test(name)) {
    throw new MoultError('ERR_USAGE_INVALID', `no such log: ${name}`, {
      hint: 'A log is a file, a folder, a pattern, `-` for standard input, or s3://bucket/prefix.',
    })
  }
  const matches = await glob(name)
  if (matches.length === 0) throw new MoultError('ERR_USAGE_INVALID', `the pattern matches no file: ${name}`)
  return filesOf(matches).filter(({ path }) => isInTime(path, sinceMs, untilMs))
}

function filesOf(paths: readonly string[]): (LogSource & { readonly kind: 'file' })[] {
  return paths.flatMap((path) => {
    // A log may be rotated away while it is looked for.
    const facts = statSync(path, { throwIfNoEntry: false })
    return facts?.isFile() === true ? [{ kind: 'file' as const, path, bytes: facts.size }] : []
  })
}

/** Node has its own from 22 on. */
async function glob(pattern: string): Promise<string[]> {
  const parts = posix.normalize(pattern.split(sep).join('/')).split('/')
  const fixed = parts.findIndex((part) => /[*?]/.test(part))
  const folder = parts.slice(0, fixed).join('/')
  const rest = patternOf(parts.slice(fixed))
  const base = folder === '' && pattern.startsWith('/') ? '/' : folder
  if (statSync(base === '' ? '.' : base, { throwIfNoEntry: false })?.isDirectory() !== true) return []
  const paths = await walk(base === '' ? '.' : base)
  const offset = base === '' || base === '/' ? base.length : base.length + 1
  return paths.filter((path) => rest.test(path.split(sep).join('/').slice(offset)))
}

function patternOf(parts: readonly string[]): RegExp {
  const texts = parts.map((part, index) => {
    const isLast = index === parts.length - 1
    if (part === '**') return isLast ? '.*' : '(?:.*/)?'
    const text = part
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')
    return isLast ? text : `${text}/`
  })
  return new RegExp(`^${texts.join('')}$`)
}

/** All files below, hidden ones aside, in the order of their names. */
async function walk(folder: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(folder, { withFileTypes: true })
  const paths: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) paths.push(...(await walk(path)))
    else paths.push(path)
  }
  return paths
}
