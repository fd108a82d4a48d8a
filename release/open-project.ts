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
import { openDirectory } from './publishers/directory.ts'
import type { Publisher } from './publishers/publisher.ts'
import { readConfig } from './read-config.ts'
import { openSigner } from './signers/open-signer.ts'
import type { Signer } from './signers/signer.ts'
import type { Surroundings } from './surroundings.ts'

export const DEFAULT_ROOT_FILE = 'trust/1.root.json'
export const DEFAULT_PUBLISH_PATH = './updates'

export interface Project {
  readonly config: Config
  /** Every path of the configuration is relative to it. */
  readonly dir: string
  readonly name: string
  readonly platforms: readonly Platform[]
  /** The root that agents pin, then its successors. */
  readonly roots: readonly [Root, ...Root[]]
  readonly signers: { readonly release: readonly Signer[]; readonly rollout: readonly Signer[] }
  readonly publisher: Publisher
}

/** @throws MoultError ERR_CONFIG_* or ERR_TRUST_ROOT */
export async function openProject(configFile: string | undefined, around: Surroundings): Promise<Project> {
  const { config, dir } = await readConfig(configFile)
  const roots = await readRoots(resolve(dir, config.root ?? DEFAULT_ROOT_FILE), config.name)
  const root = roots.at(-1) ?? roots[0]
  const signers = {
    release: [await openSignerOf('release', config, dir, root, around)],
    rollout: [await openSignerOf('rollout', config, dir, root, around)],
  }
  const publisher = openDirectory(resolve(dir, config.publish?.path ?? DEFAULT_PUBLISH_PATH), around.now)
  return {
    config,
    dir,
    name: config.name,
    platforms: config.platforms ?? [...DEFAULT_PLATFORMS],
    roots,
    signers,
    publisher,
  }
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
      hint: 'Make one with `moult init`, or name it with `root` in the configuration or --root.',
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

async function openSignerOf(
  role: 'release' | 'rollout',
  config: Config,
  dir: string,
  root: Root,
  around: Surroundings,
): Promise<Signer> {
  const signer = await openSigner(config.keys?.[role], dir, around.env)
  if (root.roles[role].keys.has(signer.keyId)) return signer
  throw new MoultError('ERR_CONFIG_KEY', `not a key of the role ${role} in root ${root.version}: ${signer.keyId}`, {
    hint: 'Agents would refuse what it signs. Name another key in `keys`, or unset MOULT_KEY.',
    details: { role, key: signer.keyId, root: root.version, keys: [...root.roles[role].keys.keys()] },
  })
}
