// The folder with `<n>.root.json` and the draft of the next one. A draft is the next root document with the signatures
// so far, in one file that can be carried from machine to machine.

import { readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'

import {
  isMoultError,
  MANIFEST_MAX_BYTES,
  MoultError,
  parseStrictJson,
  readRoot,
  type Root,
} from '../../manifests/index.ts'
import { documentBytes } from '../document-bytes.ts'
import { removeLeftovers, writeDurably } from '../durable-files.ts'
import { isSystemError } from '../file-system-error.ts'
import { DEFAULT_ROOT_FILE, readRoots } from '../open-project.ts'
import { readConfig } from '../read-config.ts'

export const DRAFT_NAME = 'draft.root.json'

/** The draft that is meant: as named, else beside the root of the configuration, else `trust/draft.root.json`. */
export async function locateDraft(file: string | undefined, config: string | undefined): Promise<string> {
  if (file !== undefined) return file
  const root = await rootFileOf(config)
  return relative('.', join(dirname(root), DRAFT_NAME))
}

/** Without a configuration the usual place: a ceremony needs nothing but the files that it works on. */
async function rootFileOf(configFile: string | undefined): Promise<string> {
  try {
    const { config, dir } = await readConfig(configFile)
    return resolve(dir, config.root ?? DEFAULT_ROOT_FILE)
  } catch (error) {
    if (configFile === undefined && isMoultError(error) && error.code === 'ERR_CONFIG_MISSING') return DEFAULT_ROOT_FILE
    throw error
  }
}

/**
 * Roots of a folder in order, each checked against the one before; none for a folder that has none.
 * @param from the root to begin with; default: the lowest number
 */
export async function readTrustFolder(dir: string, from?: string): Promise<Root[]> {
  if (from !== undefined) return readRoots(from, undefined)
  const names = await readdir(dir).catch(() => [])
  const numbers = names.map((name) => Number(/^(\d{1,9})\.root\.json$/.exec(name)?.[1] ?? 0)).filter((n) => n > 0)
  if (numbers.length === 0) return []
  return readRoots(join(dir, `${Math.min(...numbers)}.root.json`), undefined)
}

export interface Draft {
  readonly file: string
  readonly root: Root
  readonly bytes: Buffer
}

/** Undefined when there is no such file. @throws MoultError ERR_TRUST_ROOT or ERR_TRUST_KEY */
export async function findDraft(file: string): Promise<Draft | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new MoultError('ERR_CONFIG_MISSING', `cannot be read: ${file}`, { details: { file }, cause })
  }
  try {
    if (bytes.length > MANIFEST_MAX_BYTES) throw new MoultError('ERR_TRUST_ROOT', 'too large for a root document')
    return { file, root: readRoot(parseStrictJson(bytes)), bytes }
  } catch (cause) {
    const { code, message } = cause as MoultError
    const known = code === 'ERR_TRUST_KEY' ? code : 'ERR_TRUST_ROOT'
    throw new MoultError(known, `${message}: ${file}`, { details: { file }, cause })
  }
}

/** @throws MoultError ERR_CONFIG_MISSING */
export async function readDraft(file: string): Promise<Draft> {
  const draft = await findDraft(file)
  if (draft !== undefined) return draft
  throw new MoultError('ERR_CONFIG_MISSING', `no draft: ${file}`, {
    hint: 'Begin one with `moult root init`, `add-key`, `remove-key` or `rotate`, or name it with --file.',
    details: { file },
  })
}

/**
 * Puts a draft in place, whole or not at all.
 * @param before what was there when it was read: another person's signature MUST NOT be overwritten
 * @throws MoultError ERR_USAGE_EXISTS or ERR_USAGE_INVALID
 */
export async function writeDraft(file: string, root: Root, before: Draft | undefined): Promise<void> {
  const present = await readFile(file).catch(() => undefined)
  if (present === undefined ? before !== undefined : before?.bytes.equals(present) !== true) {
    throw new MoultError('ERR_USAGE_EXISTS', `changed by somebody else meanwhile: ${file}`, {
      hint: 'Nothing was overwritten. Look at it with `moult root show`, and run the command again.',
      details: { file },
    })
  }
  await writeRoot(file, root, before === undefined ? 'create' : 'replace')
}

/** @throws MoultError ERR_USAGE_EXISTS when a root of other bytes has this name */
export async function writeRoot(file: string, root: Root, how: 'create' | 'replace'): Promise<void> {
  const bytes = documentBytes(root.document)
  await removeLeftovers(file)
  try {
    await writeDurably(file, { how, fill: (target) => target.writeFile(bytes) })
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    if (cause.code === 'EEXIST') {
      if ((await readFile(file)).equals(bytes)) return
      throw new MoultError('ERR_USAGE_EXISTS', `already there with other bytes: ${file}`, { details: { file }, cause })
    }
    throw cannotWrite(file, cause)
  }
}

export async function removeDraft(file: string): Promise<void> {
  await rm(file, { force: true })
}

function cannotWrite(file: string, cause: NodeJS.ErrnoException): MoultError {
  return new MoultError('ERR_USAGE_INVALID', `cannot be written (${cause.code}): ${file}`, { details: { file }, cause })
}
