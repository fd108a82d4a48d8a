// A thread that makes one patch and applies it again: both keep a processor busy for seconds, and cannot be interrupted
// but by ending the thread.

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

import { applyPatch, createPatch, memorySource } from '../../delta/index.ts'

export interface PatchJob {
  /** Paths of files. */
  readonly old: string
  readonly fresh: string
  /** Where the patch is written. */
  readonly patch: string
}

export type PatchOutcome =
  | { readonly kind: 'made'; readonly size: number; readonly sha256: string }
  | { readonly kind: 'failed'; readonly reason: string }

function makePatch({ old: oldPath, fresh: freshPath, patch: patchPath }: PatchJob): PatchOutcome {
  const [old, fresh] = [readFileSync(oldPath), readFileSync(freshPath)]
  const patch = createPatch(old, fresh)
  const hash = createHash('sha256')
  for (const chunk of applyPatch(memorySource(old), memorySource(patch), fresh.length)) hash.update(chunk)
  if (hash.digest('hex') !== sha256Of(fresh)) return { kind: 'failed', reason: 'does not give the new bytes' }
  writeFileSync(patchPath, patch, { mode: 0o600 })
  return { kind: 'made', size: patch.length, sha256: sha256Of(patch) }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function outcomeOf(job: PatchJob): PatchOutcome {
  try {
    return makePatch(job)
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  }
}

parentPort?.postMessage(outcomeOf(workerData as PatchJob))
