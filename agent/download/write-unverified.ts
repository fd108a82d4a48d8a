// What comes out of a download, written to a file that is called unverified for as long as it is: the last hash is that
// of the file itself.

import { isMoultError, MoultError } from '../../manifests/index.ts'
import { assertContent } from '../home/artifact-file.ts'
import type { Disk, DiskFile } from '../home/disk.ts'

export interface Expected {
  readonly size: number
  readonly sha256: string
}

/**
 * @param chunks each is good until the next one is asked for
 * @param trouble what it means when they fail
 * @throws MoultError ERR_BYTES_* or a file error; the caller removes the file
 */
export async function writeUnverified(
  disk: Disk,
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  expected: Expected,
  trouble: string,
  signal?: AbortSignal,
): Promise<void> {
  await disk.removeTree(path)
  const output = await disk.create(path, 0o600)
  try {
    try {
      await writeBounded(output, chunks, expected.size, signal)
    } catch (cause) {
      signal?.throwIfAborted()
      if (isMoultError(cause) || (cause instanceof Error && 'syscall' in cause)) throw cause
      throw new MoultError('ERR_BYTES_ENCODING', trouble, { cause })
    }
    await assertContent(output, expected, signal)
  } finally {
    await output.close()
  }
}

/** @throws MoultError ERR_BYTES_SIZE before anything is written beyond `size` */
export async function writeBounded(
  output: DiskFile,
  chunks: AsyncIterable<Uint8Array>,
  size: number,
  signal?: AbortSignal,
): Promise<void> {
  let written = 0
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    written += chunk.length
    if (written > size) throw new MoultError('ERR_BYTES_SIZE', `more than ${size} bytes: the unpacked artifact`)
    await output.write(chunk, written - chunk.length)
  }
}
