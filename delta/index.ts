// The delta codec: a patch from one file to another, small because it knows how addresses move between two builds.

export { applyPatch } from './apply-patch.ts'
export { createPatch, memorySource } from './create-patch.ts'
export { PatchError, type ByteSource } from './range-coder.ts'
