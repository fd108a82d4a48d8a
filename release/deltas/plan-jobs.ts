// Which deltas are made: of a new version those that are wanted, of one whose document is published those that this names
// and that are missing or damaged. Its document never changes, so others would be of no use.

import { type Binary, type Download, isMoultError, type Release } from '../../manifests/index.ts'
import type { CompressedArtifact } from '../compress-artifacts.ts'
import { baseOfDelta, deltaPath, pathOf } from '../layout.ts'
import type { Project } from '../open-project.ts'
import { readReleased } from '../released.ts'
import type { Surroundings } from '../surroundings.ts'
import { chooseBases, type DeltaBase, type DeltaTarget, readBases } from './choose-bases.ts'
import type { DeltaTerms } from './delta-terms.ts'

export interface DeltaJob {
  readonly artifact: CompressedArtifact
  /** The version that it starts from, its artifact as it was signed, and the hash of that. */
  readonly base: string
  readonly binary: Binary
  readonly from: string
}

/** Of smaller downloads a delta saves less than its request costs. */
const SMALLEST_BYTES = 64 * 1024
/** All of a release together: each is some 400 bytes of the manifest, which has a limit. */
const DELTAS_MAX = 256

export async function planJobs(
  artifacts: readonly CompressedArtifact[],
  target: DeltaTarget,
  terms: DeltaTerms,
  project: Project,
  around: Surroundings,
): Promise<DeltaJob[]> {
  const large = artifacts.filter(({ file, brotli }) => (brotli ?? file).size >= SMALLEST_BYTES)
  if (large.length === 0) return []
  const published = await readPublished(target, project)
  const bases =
    published === undefined
      ? await chooseBases(target, terms, project, around)
      : await readBases(basesNamedBy(published), project, around)
  const jobs: DeltaJob[] = []
  for (const base of bases)
    for (const job of jobsFrom(base, large)) {
      const isTwice = jobs.some(({ artifact, from }) => artifact === job.artifact && from === job.from)
      if (!isTwice && (await isToBeMade(job, published, target, project, around))) jobs.push(job)
    }
  return jobs.slice(0, DELTAS_MAX)
}

/** What is wrong with a document that does not verify is said when the release is settled. */
async function readPublished({ version, live }: DeltaTarget, project: Project): Promise<Release | undefined> {
  try {
    return (await readReleased(version, live, project))?.release
  } catch (error) {
    if (isMoultError(error)) return undefined
    throw error
  }
}

function basesNamedBy({ binaries }: Release): string[] {
  const urls = Object.values(binaries).flatMap(({ downloads = [] }) => downloads.map(({ url }) => url))
  return [...new Set(urls.map(baseOfDelta))].filter((version) => version !== undefined)
}

function jobsFrom({ version, release }: DeltaBase, artifacts: readonly CompressedArtifact[]): DeltaJob[] {
  return artifacts.flatMap((artifact) => {
    const binary = release.binaries[artifact.platform]
    if (binary === undefined || binary.sha256 === artifact.file.sha256) return []
    return [{ artifact, base: version, binary, from: binary.sha256 }]
  })
}

async function isToBeMade(
  { artifact, base, from }: DeltaJob,
  published: Release | undefined,
  { version, baseUrl }: DeltaTarget,
  { publisher, name }: Project,
  around: Surroundings,
): Promise<boolean> {
  const { platform, file } = artifact
  const path = deltaPath(name, version, platform, base)
  const own = published?.binaries[platform]
  const isNamed = ({ url, from: start }: Download): boolean => start === from && pathOf(url, baseUrl) === path
  const named = own?.sha256 === file.sha256 ? own.downloads?.find(isNamed) : undefined
  if (published !== undefined && named === undefined) return false
  try {
    // Not every place takes every name.
    const found = await publisher.digest(path)
    return named === undefined || found?.sha256 !== named.sha256
  } catch (error) {
    if (!isMoultError(error)) throw error
    around.on({ kind: 'note', text: `no delta from ${base} for ${platform}: ${error.message}` })
    return false
  }
}
