// The files of the pairs: fetched once by `npm pack` into the user's cache folder, never into the repository.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

import { extract } from 'tar'

import type { Bench } from './figure.ts'
import { choosePairs, type Member, SHORT_PAIR } from './pairs.ts'
import { hasPeers } from './peers.ts'
import { makeSingleExecutable } from './single-executable.ts'

/** `$XDG_CACHE_HOME/moult/bench`, else `~/.cache/moult/bench`. */
export const CACHE = join(cacheHome(), 'moult', 'bench')
/** Enough for each codec to have work, and done in a second. */
const MADE_BYTES = 400_000
const MADE_SHIFT = 912

export interface Files {
  readonly name: string
  readonly what: string
  /** Paths. */
  readonly old: string
  readonly fresh: string
}

/** The chosen pairs as files; in the short form one that is made here. */
export async function openPairs(bench: Bench, names = bench.pairs): Promise<Files[]> {
  if (bench.isShort) return [makePair(bench.folder)]
  const files: Files[] = []
  for (const { name, what, old, fresh } of choosePairs(names)) {
    files.push({ name, what, old: await fetchMember(old), fresh: await fetchMember(fresh) })
  }
  return files
}

/** A piece of this Node, and the same with something inserted and a byte in each page changed. */
function makePair(folder: string): Files {
  const old = readFileSync(process.execPath).subarray(0, MADE_BYTES)
  const half = MADE_BYTES >> 1
  const fresh = Buffer.concat([old.subarray(0, half), Buffer.alloc(MADE_SHIFT, 'inserted'), old.subarray(half)])
  for (let at = half; at < fresh.length; at += 4096) fresh[at] = (fresh[at] ?? 0) + 1
  const paths = { old: join(folder, 'old'), fresh: join(folder, 'fresh') }
  writeFileSync(paths.old, old)
  writeFileSync(paths.fresh, fresh)
  return { name: SHORT_PAIR, what: 'a piece of Node, shifted', ...paths }
}

/** @returns the path of the file in the cache */
async function fetchMember({ executable, ...program }: Member): Promise<string> {
  const { name, version, file } = program
  const path = join(CACHE, 'files', `${name.replaceAll(/[@/]/g, '_')}-${version}`)
  if (executable === undefined) return once(path, (folder) => fetchFile(name, version, file, folder))
  const node = await fetchMember(program)
  hasPeers({ isShort: false })
  const { agentVersion, hasCodeCache } = executable
  const made = `${path}-agent-${agentVersion}${hasCodeCache ? '-cache' : ''}`
  return once(made, (folder) => makeSingleExecutable(executable, node, folder))
}

/** @returns `path`; where there is nothing yet, what was made in a folder of its own comes there, whole */
async function once(path: string, make: (folder: string) => Promise<string>): Promise<string> {
  if (existsSync(path)) return path
  mkdirSync(join(CACHE, 'files'), { recursive: true })
  const folder = mkdtempSync(join(CACHE, 'fetching-'))
  try {
    renameSync(await make(folder), path)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return path
}

async function fetchFile(name: string, version: string, file: string | undefined, folder: string): Promise<string> {
  // `npm pack` and not `npm install`: that refuses packages for other systems. Npm checks the registry's hash.
  const args = ['pack', '--silent', '--pack-destination', folder, `${name}@${version}`]
  const tarball = join(folder, execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }).trim())
  const whole = join(folder, 'whole')
  if (file === undefined) {
    writeFileSync(whole, gunzipSync(readFileSync(tarball)))
    return whole
  }
  // The first folder has any name.
  const isFile = (entry: string): boolean => entry.slice(entry.indexOf('/') + 1) === file
  await extract({ file: tarball, cwd: folder, filter: isFile, strip: 1 })
  return join(folder, file)
}

export function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function cacheHome(): string {
  const given = process.env['XDG_CACHE_HOME']
  return given !== undefined && isAbsolute(given) ? given : join(homedir(), '.cache')
}
