import { isMoultError } from '../../manifests/index.ts'
import { type PastManifest, readBefore, type ReadPath } from './walk-history.ts'

export interface PastReleases {
  /** Newest first, of each version the manifest that offered it last. */
  readonly offers: readonly PastManifest[]
  /** Why there may be more: a manifest is missing or is another, as where it was published before there was a history. */
  readonly cut?: string
}

export interface PastBounds {
  readonly versions: number
  /** How many are looked through. */
  readonly manifests: number
}

/** What a channel has offered, back from one manifest and with it. */
export async function readPastReleases(
  newest: PastManifest,
  read: ReadPath,
  { versions, manifests }: PastBounds,
): Promise<PastReleases> {
  const found = new Map([[newest.release.version, newest]])
  let one = newest
  for (let seen = 1; found.size < versions; seen++) {
    const offers = [...found.values()]
    if (seen === manifests) return { offers, cut: `not looked beyond ${manifests} manifests` }
    try {
      const before = await readBefore(one, read)
      if (before === undefined) return { offers }
      one = before
    } catch (error) {
      if (!isMoultError(error)) throw error
      return { offers, cut: error.message }
    }
    if (!found.has(one.release.version)) found.set(one.release.version, one)
  }
  return { offers: [...found.values()] }
}
