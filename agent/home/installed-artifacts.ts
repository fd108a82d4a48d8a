// Which artifacts the installed versions came from, by their receipts: the word of a file, and no more than a hint. Whoever
// needs the bytes has to hash them.

import { join } from 'node:path'

import { isVersion, sha256 } from '../../manifests/index.ts'
import { type Home, versionDirectory } from './home.ts'
import { readNames, readReceipt } from './receipt.ts'
import { formatSums } from './sums.ts'

export interface InstalledArtifact {
  readonly version: string
  /** Of the artifact, as the receipt has it. */
  readonly sha256: string
  readonly size: number
  /** The program that is the artifact, or the directory that it was unpacked to. */
  readonly path: string
  /** Of the program in a tree. */
  readonly entry: string
  readonly isTree: boolean
}

/** Of all versions that are kept, whether or not anything names them. */
export function installedArtifacts(home: Home): InstalledArtifact[] {
  return readNames(home.versions).flatMap((version) => {
    const receipt = isVersion(version) ? readReceipt(home, version) : undefined
    if (receipt === undefined) return []
    const { sha256: digest, size, entry, sums } = receipt
    // The list of a single file has one line, with the hash of the artifact.
    const ofFile = sha256(Buffer.from(formatSums([{ path: entry, sha256: digest }])))
    const isTree = sums !== undefined && sums !== ofFile
    const directory = versionDirectory(home, version)
    return [{ version, sha256: digest, size, path: isTree ? directory : join(directory, entry), entry, isTree }]
  })
}
