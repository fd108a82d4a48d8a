// The list of an installed version's files and their hashes, in the format that `sha256sum -c` reads, so that the shell
// launcher can tell whether they are still those that were verified. The receipt has the hash of the list itself: the
// tools pass over a line that they cannot read.

import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

import { sha256 } from '../../manifests/index.ts'
import type { Disk } from './disk.ts'
import { readIfPossible } from './durable-file.ts'
import { type Home, versionDirectory } from './home.ts'
import { formatReceipt, readReceipt, RECEIPT_NAME, type Receipt, SUMS_NAME } from './receipt.ts'

/** A tree of 100,000 files with the longest names. */
const SUMS_MAX_BYTES = 64 * 1024 * 1024
const READ_BYTES = 1024 * 1024
const LINE = /^([0-9a-f]{64}) {2}\.\/([^\\]+)$/

export interface FileSum {
  /** Relative to the version's directory, of the alphabet of `entryPathShape`: the format has to escape nothing. */
  readonly path: string
  readonly sha256: string
}

export function formatSums(files: readonly FileSum[]): string {
  // A file may be called `-`, which by itself means standard input.
  return files.map((file) => `${file.sha256}  ./${file.path}\n`).join('')
}

/**
 * Writes the list and then the receipt, durably: with these a directory becomes a version.
 * @param files all that are in the directory
 */
export function writeReceipt(
  disk: Disk,
  directory: string,
  facts: Omit<Receipt, 'sums'>,
  files: readonly FileSum[],
): Receipt {
  const list = Buffer.from(formatSums(files))
  const receipt = { ...facts, sums: sha256(list) }
  disk.writeFile(join(directory, SUMS_NAME), list, 0o644)
  disk.writeFile(join(directory, RECEIPT_NAME), Buffer.from(formatReceipt(receipt)), 0o644)
  disk.syncDirectory(directory)
  return receipt
}

/**
 * Whether the files of an installed version are those that were installed. Reads all of them, in one go: for the moments
 * when a version takes the place of another. One that was installed without a list counts as intact.
 */
export function isIntact(home: Home, version: string): boolean {
  const directory = versionDirectory(home, version)
  const expected = readReceipt(home, version)?.sums
  if (expected === undefined && !existsSync(join(directory, SUMS_NAME))) return true
  const list = readIfPossible(join(directory, SUMS_NAME), SUMS_MAX_BYTES)
  if (list === undefined || sha256(list) !== expected) return false
  const lines = list.toString('latin1').split('\n')
  return lines.pop() === '' && lines.length > 0 && lines.every((line) => isSame(directory, line))
}

function isSame(directory: string, line: string): boolean {
  const [, expected, path] = LINE.exec(line) ?? []
  if (expected === undefined || path === undefined) return false
  try {
    return hashOf(join(directory, path)) === expected
  } catch {
    return false
  }
}

function hashOf(path: string): string {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(READ_BYTES)
  const file = openSync(path, 'r')
  try {
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) hash.update(chunk.subarray(0, read))
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
}
