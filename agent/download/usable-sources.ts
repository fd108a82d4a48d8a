import { type Binary, DELTA_ENCODING } from '../../manifests/index.ts'
import type { InstalledArtifact } from '../home/installed-artifacts.ts'
import type { Source } from './download-options.ts'

export interface DeltaTerms {
  /** What a delta may start from. */
  readonly installed: readonly InstalledArtifact[]
  /** Hashes of deltas that have failed here. */
  readonly failed?: readonly string[] | undefined
}

/** The ways that this agent can use, smallest first. Whether the bytes on its disk are those of a delta is seen later. */
export function usableSources(binary: Binary, { installed, failed = [] }: DeltaTerms = { installed: [] }): Source[] {
  const sources: Source[] = [{ url: binary.url, size: binary.size, sha256: binary.sha256 }]
  for (const { url, size, sha256, encoding, from } of binary.downloads ?? []) {
    if (from === undefined) {
      if (encoding === 'br') sources.push({ url, size, sha256, encoding })
    } else if (encoding === DELTA_ENCODING && !failed.includes(sha256)) {
      const matching = installed.filter((artifact) => artifact.sha256 === from)
      if (matching.length > 0) sources.push({ url, size, sha256, from: { sha256: from, installed: matching } })
    }
  }
  return sources.toSorted((a, b) => a.size - b.size)
}

/** Whether a delta is among the downloads at all: else nothing has to be known of what is installed. */
export function hasDeltas({ downloads = [] }: Binary): boolean {
  return downloads.some(({ from, encoding }) => from !== undefined && encoding === DELTA_ENCODING)
}

/** In events: `delta`, the encoding, or `whole`. */
export function sourceName({ encoding, from }: Source): string {
  return from === undefined ? (encoding ?? 'whole') : 'delta'
}
