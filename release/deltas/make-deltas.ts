// choose bases -> plan jobs -> of each: fetch the old artifact, make the patch, apply it again, keep it if it pays.
// A delta is a convenience: whatever goes wrong with one costs that delta, and never the release.

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { CompressedArtifact } from '../compress-artifacts.ts'
import { mapBounded } from '../map-bounded.ts'
import type { Project } from '../open-project.ts'
import type { StagedFile } from '../stage-artifacts.ts'
import { step, type Surroundings } from '../surroundings.ts'
import type { DeltaTarget } from './choose-bases.ts'
import type { DeltaTerms } from './delta-terms.ts'
import type { PatchOutcome } from './delta-worker.ts'
import { fetchArtifact } from './fetch-artifact.ts'
import { MemoryBudget } from './memory-budget.ts'
import { type DeltaJob, planJobs } from './plan-jobs.ts'
import { runPatch } from './run-patch.ts'

/** A smaller saving is not worth another file, and the agent's time. */
const WORTHWHILE_SHARE = 2 / 3
/** What the codec was seen to need, and some more. */
const CODEC_BYTES = 100_000_000
const CODEC_SHARE = 3

/**
 * The artifacts with their deltas. Equal pairs are made once.
 * @param terms undefined: none
 */
export async function makeDeltas(
  artifacts: readonly CompressedArtifact[],
  target: DeltaTarget,
  terms: DeltaTerms | undefined,
  project: Project,
  scratch: string,
  around: Surroundings,
): Promise<readonly CompressedArtifact[]> {
  if (terms === undefined) return artifacts
  const jobs = await planJobs(artifacts, target, terms, project, around)
  if (jobs.length === 0) return artifacts
  const folder = join(scratch, 'deltas')
  await mkdir(folder, { mode: 0o700 })
  const budget = new MemoryBudget(terms.memoryBytes)
  const known = new Map<string, Promise<StagedFile | undefined>>()
  const made = await mapBounded(jobs, terms.atOnce, around, async (job, inner) => {
    const pair = `${job.from}-${job.artifact.file.sha256}`
    const making = known.get(pair) ?? makeWithin(budget, job, terms, join(folder, pair), project, inner)
    known.set(pair, making)
    const file = await making
    return file === undefined ? undefined : { job, delta: { ...file, base: job.base, from: job.from } }
  })
  return artifacts.map((artifact) => {
    const deltas = made.flatMap((one) => (one?.job.artifact === artifact ? [one.delta] : []))
    return deltas.length === 0 ? artifact : { ...artifact, deltas }
  })
}

async function makeWithin(
  budget: MemoryBudget,
  job: DeltaJob,
  { timeLimitMs }: DeltaTerms,
  path: string,
  project: Project,
  around: Surroundings,
): Promise<StagedFile | undefined> {
  const { artifact, binary, base } = job
  const { platform } = artifact
  const leaveOut = (reason: string): undefined => {
    around.on({ kind: 'note', text: `no delta from ${base} for ${platform}: ${reason}` })
  }
  const neededBytes = CODEC_SHARE * (binary.size + artifact.file.size) + CODEC_BYTES
  if (!budget.fits(neededBytes)) return leaveOut(`would need ${Math.ceil(neededBytes / 1e6)} MB of memory`)
  try {
    return await budget.use(neededBytes, () =>
      step(around, 'delta', platform, async () => {
        const made = await makePatch(job, timeLimitMs, path, project, around.signal)
        const best = artifact.brotli?.size ?? artifact.file.size
        if (made.kind === 'made' && made.size <= best * WORTHWHILE_SHARE)
          return { path, size: made.size, sha256: made.sha256 }
        await rm(path, { force: true })
        return made.kind === 'failed' ? leaveOut(made.reason) : undefined
      }),
    )
  } catch (error) {
    around.signal.throwIfAborted()
    return leaveOut(error instanceof Error ? error.message : String(error))
  }
}

async function makePatch(
  { artifact: { platform, file }, binary, base: version }: DeltaJob,
  timeLimitMs: number,
  path: string,
  project: Project,
  signal: AbortSignal,
): Promise<PatchOutcome> {
  const old = `${path}.old`
  try {
    await fetchArtifact({ version, platform, binary }, old, project, signal)
    return await runPatch({ old, fresh: file.path, patch: path }, timeLimitMs, signal)
  } finally {
    // Also after a failure: the release goes on, and may need the room.
    await rm(old, { force: true })
  }
}
