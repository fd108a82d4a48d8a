// The receipt of an installed version: which signed artifact it came from and which file in it is the program. It lies
// in the version's directory before that gets its name, so a version without a receipt was never installed.

import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { entryPathShape, HEX_SHA256, isVersion } from '../../manifests/index.ts'
import { readIfPossible } from './durable-file.ts'
import { type Home, versionDirectory } from './home.ts'

export const RECEIPT_NAME = '.receipt'
/** The list of the other files with their hashes (sums.ts). */
export const SUMS_NAME = '.sha256sums'

export interface InstalledRollout {
  readonly channel: string
  readonly sequence: number
  /** Version of the root that its key was trusted by. */
  readonly root: number
}

export interface Receipt {
  readonly version: string
  /** SHA-256 of the artifact: what a quarantine names. */
  readonly sha256: string
  readonly size: number
  /** SHA-256 of the list of the version's files; versions of old have none. */
  readonly sums?: string | undefined
  /** Path of the program inside the version's directory. */
  readonly entry: string
  /** Path of the `post_update` hook while that has still to be run. */
  readonly postUpdate?: string | undefined
  /** The `rollback_floor` of the release. */
  readonly rollbackFloor?: string | undefined
  /** The rollout that it was installed by: a floor for when the state is lost. */
  readonly rollout?: InstalledRollout | undefined
}

export function formatReceipt(receipt: Receipt): string {
  const { version, sha256, size, sums, entry, postUpdate, rollbackFloor, rollout } = receipt
  const lines = [`version=${version}`, `sha256=${sha256}`, `size=${size}`]
  if (sums !== undefined) lines.push(`sums=${sums}`)
  lines.push(`entry=${entry}`)
  if (postUpdate !== undefined) lines.push(`post_update=${postUpdate}`)
  if (rollbackFloor !== undefined) lines.push(`rollback_floor=${rollbackFloor}`)
  if (rollout !== undefined)
    lines.push(`channel=${rollout.channel}`, `sequence=${rollout.sequence}`, `root=${rollout.root}`)
  return `${lines.join('\n')}\n`
}

/** The receipt of an installed version, or undefined when there is none or it is damaged. */
export function readReceipt(home: Home, version: string): Receipt | undefined {
  const text = readIfPossible(join(versionDirectory(home, version), RECEIPT_NAME))?.toString('utf8')
  if (text === undefined) return undefined
  const fields = new Map(text.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]))
  const [sha256, size, entry] = [fields.get('sha256') ?? '', Number(fields.get('size')), fields.get('entry') ?? '']
  if (fields.get('version') !== version || !HEX_SHA256.test(sha256) || !Number.isSafeInteger(size)) return undefined
  // Not checked: what is no hash is none that a list could have.
  const sums = fields.has('sums') ? { sums: fields.get('sums') } : {}
  const floor = fields.get('rollback_floor')
  const rollbackFloor = floor !== undefined && isVersion(floor) ? { rollbackFloor: floor } : {}
  const [channel, sequence, root] = [fields.get('channel'), Number(fields.get('sequence')), Number(fields.get('root'))]
  const isKnown = channel !== undefined && Number.isSafeInteger(sequence) && Number.isSafeInteger(root)
  const rollout = isKnown ? { rollout: { channel, sequence, root } } : {}
  const hook = fields.get('post_update')
  const postUpdate = hook !== undefined && isEntryPath(hook) ? { postUpdate: hook } : {}
  const optional = { ...sums, ...postUpdate, ...rollbackFloor, ...rollout }
  return isEntryPath(entry) ? { version, sha256, size, entry, ...optional } : undefined
}

/** The rollouts that the installed versions came with. */
export function installedRollouts(home: Home): InstalledRollout[] {
  return readNames(home.versions).flatMap((version) => readReceipt(home, version)?.rollout ?? [])
}

/** Of what is in a directory; none where that cannot be read. */
export function readNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function isEntryPath(entry: string): boolean {
  try {
    return entryPathShape.check(entry, 'entry') === entry
  } catch {
    return false
  }
}

/** Path of a version's program when it is there and executable; undefined otherwise. */
export function programOf(home: Home, version: string): string | undefined {
  const receipt = readReceipt(home, version)
  if (receipt === undefined) return undefined
  const program = join(versionDirectory(home, version), receipt.entry)
  try {
    accessSync(program, constants.X_OK)
    const stat = statSync(program)
    // An empty file is what a power cut leaves behind, and a shell would run it as a script that succeeds.
    return stat.isFile() && stat.size > 0 ? program : undefined
  } catch {
    return undefined
  }
}
