// Programs of the system, and what to install where one is missing.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

import type { Bench } from './figure.ts'

export const NOT_INSTALLED = 'not installed'

/** Debian's package of each program; undefined where Debian has none. */
const PACKAGES: Readonly<Record<string, string | undefined>> = {
  bsdiff: 'bsdiff',
  bspatch: 'bsdiff',
  xdelta3: 'xdelta3',
  zstd: 'zstd',
  nginx: 'nginx-light',
  hdiffz: undefined,
  hpatchz: undefined,
  '7za': 'p7zip-full',
}
/** Where Debian puts what is not for every user. */
const MORE_FOLDERS = ['/usr/sbin', '/sbin']

/**
 * Whether a program can be run.
 * @throws Error in the full form, where a figure without it would be half a figure; `optional` ones may be missing
 */
export function hasProgram(name: string, { isShort }: Bench, need: 'needed' | 'optional' = 'needed'): boolean {
  const isThere = findProgram(name) !== undefined
  if (!isThere && !isShort && need === 'needed') {
    throw new Error(`${name} is not installed: apt-get install -y ${PACKAGES[name] ?? name}`)
  }
  return isThere
}

/** The path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_FOLDERS]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}
