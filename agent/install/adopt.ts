import { chmod, copyFile, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { isVersion, MoultError } from '../../manifests/index.ts'
import { hashFile } from '../artifact-file.ts'
import { syncDirectory } from '../durable-file.ts'
import { toFileError } from '../file-error.ts'
import { type Home, prepareHome, versionDirectory } from '../home.ts'
import { writeLaunchRecord } from '../launch-record.ts'
import { formatReceipt, RECEIPT_NAME } from '../receipt.ts'

/**
 * Makes a program that is on this machine already the first version of a home. That it is the right one is the word of
 * the operator: no signature covers it.
 *
 * @throws MoultError ERR_USAGE_INVALID or ERR_STAGE_*
 */
export async function adoptProgram(home: Home, name: string, version: string, program: string): Promise<void> {
  if (!isVersion(version)) {
    throw new MoultError('ERR_USAGE_INVALID', `not a semantic version: ${JSON.stringify(version)}`, {
      hint: 'Give the version of the program with --program-version, e.g. 1.0.0.',
    })
  }
  prepareHome(home)
  const staged = join(home.staging, `${version}.staged`)
  try {
    await rm(staged, { recursive: true, force: true })
    await mkdir(staged)
    const { sha256, size } = await copyProgram(program, join(staged, name))
    await writeFile(join(staged, RECEIPT_NAME), formatReceipt({ version, sha256, size, entry: name }), { flush: true })
    syncDirectory(staged)
    await rm(versionDirectory(home, version), { recursive: true, force: true })
    await rename(staged, versionDirectory(home, version))
    syncDirectory(home.versions)
  } catch (error) {
    await rm(staged, { recursive: true, force: true })
    throw toFileError(error, program)
  }
  writeLaunchRecord(home.confirmed, { version })
  writeLaunchRecord(home.current, { version })
}

async function copyProgram(from: string, to: string): Promise<{ sha256: string; size: number }> {
  await copyFile(from, to)
  // First: the copy of a read-only program cannot be opened for writing.
  await chmod(to, 0o755)
  const file = await open(to, 'r+')
  try {
    await file.sync()
    return { sha256: await hashFile(file), size: (await file.stat()).size }
  } finally {
    await file.close()
  }
}
