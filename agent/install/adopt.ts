import { createReadStream } from 'node:fs'
import { join } from 'node:path'

import { isVersion, MoultError } from '../../manifests/index.ts'
import { hashFile } from '../home/artifact-file.ts'
import type { Disk } from '../home/disk.ts'
import { discard, toFileError } from '../home/file-error.ts'
import { appendHistory } from '../report/history.ts'
import { type Home, prepareHome, versionDirectory } from '../home/home.ts'
import { writeLaunchRecord } from '../home/launch-record.ts'
import { programFile } from '../home/program-file.ts'
import { writeReceipt } from '../home/sums.ts'

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
  const { disk } = home
  const staged = join(home.staging, `${version}.staged`)
  const entry = programFile(name)
  try {
    await disk.removeTree(staged)
    disk.makeDirectory(staged, 0o755)
    const { sha256, size } = await copyProgram(disk, program, join(staged, entry))
    writeReceipt(disk, staged, { version, sha256, size, entry }, [{ path: entry, sha256 }])
    await disk.removeTree(versionDirectory(home, version))
    disk.rename(staged, versionDirectory(home, version))
    disk.syncDirectory(home.versions)
  } catch (error) {
    await discard(disk, staged)
    throw toFileError(error, program)
  }
  writeLaunchRecord(disk, home.confirmed, { version })
  writeLaunchRecord(disk, home.current, { version })
  appendHistory(home, { kind: 'installed', version }, Date.now())
}

async function copyProgram(disk: Disk, from: string, to: string): Promise<{ sha256: string; size: number }> {
  const file = await disk.create(to, 0o755)
  try {
    let size = 0
    for await (const chunk of createReadStream(from) as AsyncIterable<Buffer>) {
      await file.write(chunk, size)
      size += chunk.length
    }
    // Whatever the umask was.
    disk.chmod(to, 0o755)
    await file.sync()
    return { sha256: await hashFile(file), size }
  } finally {
    await file.close()
  }
}
