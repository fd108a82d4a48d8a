// Everything that a release needs before it builds: a fault in the configuration, the keys or the root is found in a
// second instead of after minutes of compiling.

import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'

import {
  acceptRoots,
  assertSelfSigned,
  MoultError,
  parseStrictJson,
  type Platform,
  readRoot,
  type Root,
} from '../manifests/index.ts'
import { type Config, DEFAULT_PLATFORMS } from './config.ts'
import { openPublisher, withBaseUrl } from './publishers/open-publisher.ts'
import type { Publisher } from './publishers/publisher.ts'
import { readConfig } from './read-config.ts'
import { type OnlineRole, openSigners, type RoleSigners } from './signers/open-signers.ts'
import type { Surroundings } from './surroundings.ts'

export const DEFAULT_ROOT_FILE = 'trust/1.root.json'

export interface Project {
  readonly config: Config
  /** Every path of the configuration is relative to it. */
  readonly dir: string
  readonly name: string
  readonly platforms: readonly Platform[]
  /** The root that agents pin, then its successors. */
  readonly roots: readonly [Root, ...Root[]]
  /** Enough of each role that was asked for; none of the others. */
  readonly signers: RoleSigners
  readonly publisher: Publisher
}

/**
 * @param roles whose keys the job needs; the others may be elsewhere
 * @throws MoultError ERR_CONFIG_* or ERR_TRUST_ROOT
 */
export async function openProject(
  configFile: string | undefined,
  around: Surroundings,
  roles: readonly OnlineRole[] = ['release', 'rollout'],
): Promise<Project> {
  const { config, dir } = await readConfig(configFile)
  const roots = await readRoots(resolve(dir, config.root ?? DEFAULT_ROOT_FILE), config.name)
  const root = roots.at(-1) ?? roots[0]
  const signers = await openSigners(roles, config, dir, root, around)
  const publisher = await openPublisher(config, dir, around)
  return {
    config: withBaseUrl(config, publisher),
    dir,
    name: config.name,
    platforms: config.platforms ?? [...DEFAULT_PLATFORMS],
    roots,
    signers,
    publisher,
  }
}

export function newestRoot({ roots }: Pick<Project, 'roots'>): Root {
  return roots.at(-1) ?? roots[0]
}

/** The pinned root and what follows it in `<n>.root.json` beside it. */
export async function readRoots(file: string, name: string | undefined): Promise<[Root, ...Root[]]> {
  const pinned = await readRootFile(file)
  assertSelfSigned(pinned)
  if (name !== undefined && pinned.name !== name) {
    throw new MoultError('ERR_TRUST_ROOT', `for ${pinned.name} instead of ${name}: ${file}`, {
      hint: '`name` in the configuration must be the name in the root document.',
    })
  }
  const numbers = (await readdir(dirname(file)))
    .map((entry) => Number(/^(\d{1,9})\.root\.json$/.exec(entry)?.[1] ?? 0))
    .filter((number) => number > pinned.version)
    .toSorted((a, b) => a - b)
  const later: Root[] = []
  for (const number of numbers) later.push(await readRootFile(resolve(dirname(file), `${number}.root.json`)))
  const { refused } = acceptRoots(
    pinned,
    later.map((root) => root.document),
  )
  if (refused !== undefined) throw refused
  return [pinned, ...later]
}

async function readRootFile(file: string): Promise<Root> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_MISSING', `no root document: ${file}`, {
      hint: 'Restore it from version control, a backup, or `trust/` of the published folder: agents pin it, and `moult init` would begin another project. If it lies elsewhere, name it with `root` in the configuration or --root.',
      details: { file },
      cause,
    })
  }
  try {
    return readRoot(parseStrictJson(bytes))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MoultError('ERR_TRUST_ROOT', `${reason}: ${basename(file)}`, { details: { file }, cause })
  }
}
