// Applies a patch: the new file comes out in chunks, in order. The caller checks its hash; this checks that nothing is
// read outside the old file and exactly the stated size is written.

import { codeCovers, codeRegions, CoverList } from './patch-layout.ts'
import { readHeader } from './patch-header.ts'
import { NOTHING, PatchWalker } from './patch-walker.ts'
import { PatchError, RangeDecoder, type ByteSource } from './range-coder.ts'

/** Chunks are views that the next step overwrites. `newSizeMax` is what the signed manifest says. A broken patch throws
    PatchError; a wrong result is only seen by its hash. */
export function* applyPatch(old: ByteSource, patch: ByteSource, newSizeMax: number): Generator<Uint8Array> {
  const header = readHeader(patch)
  if (header.oldSize !== old.length) throw new PatchError('the patch is for another old file')
  if (header.newSize > newSizeMax) throw new PatchError('the patch makes a larger file than stated')
  const decoder = new RangeDecoder(patch, header.bodyAt)
  const oldRegions = codeRegions(decoder, [], header.oldSize, [])
  const newRegions = codeRegions(decoder, [], header.newSize, oldRegions)
  const decoding = codeCovers(decoder, new CoverList(), header.oldSize, header.newSize)
  let step = decoding.next()
  for (; step.done !== true; step = decoding.next()) yield NOTHING
  const covers = step.value
  const plan = { oldSize: header.oldSize, newSize: header.newSize, oldRegions, newRegions, covers }
  yield* new PatchWalker(decoder, old, plan).walk()
}
