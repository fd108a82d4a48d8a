import { open } from 'node:fs/promises'

import { packTree as packInPieces } from '../../trees/pack-tree.ts'

/** Makes the archive of a tree. @throws MoultError ERR_BUILD_FAILED for what an agent would not unpack */
export async function packTree(root: string, target: string, signal: AbortSignal, entry?: string): Promise<void> {
  const out = await open(target, 'wx', 0o600)
  try {
    for await (const piece of packInPieces(root, { entry, signal })) await out.appendFile(piece)
  } finally {
    await out.close()
  }
}
