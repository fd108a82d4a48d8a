// Which releases somebody needs, or may need. A release is kept by the first reason that holds; without one it goes.

import { compareVersions, parseDate, type Release } from '../../manifests/index.ts'
import type { Offer } from './read-offers.ts'
import type { KnownRelease } from './read-releases.ts'

export interface KeepTerms {
  /** How many releases of each channel stay: the live one, and those before it. */
  readonly keep: number
  /** Milliseconds since 1970: what was released later stays. */
  readonly keepSinceMs: number | undefined
}

/** Version -> why it stays, for a person. */
export type Kept = ReadonlyMap<string, string>

export function chooseKept(releases: readonly KnownRelease[], offers: readonly Offer[], terms: KeepTerms): Kept {
  const kept = new Map<string, string>()
  const keep = (version: string, why: string): void => {
    if (!kept.has(version)) kept.set(version, why)
  }
  for (const { kind, channel, release } of offers)
    keep(
      release.version,
      kind === 'live' ? `live on ${channel}` : `published last on ${channel}, and may have been seen`,
    )
  const named = releases.filter(({ version, digest }) => {
    const offer = offers.find(({ names }) => names.has(digest) || [...names].some((name) => isSame(name, version)))
    if (offer !== undefined) keep(version, `named by the rollout of ${offer.channel}`)
    return offer !== undefined
  })
  keepBases(
    [...offers, ...named].map(({ release }) => release),
    releases,
    keep,
  )
  for (const { version } of releases) if (isNewest(version, offers)) keep(version, 'newer than what is live')
  for (const offer of offers) {
    const isHead = offer.kind === 'live' || offers.every((one) => one === offer || one.channel !== offer.channel)
    if (isHead) keepLine(offer, releases, terms.keep, keep)
  }
  for (const { version, release } of releases) {
    const released = parseDate(release.release_date) ?? Number.POSITIVE_INFINITY
    if (terms.keepSinceMs !== undefined && released > terms.keepSinceMs)
      keep(version, `released ${release.release_date}`)
  }
  return kept
}

type Keep = (version: string, why: string) => void

/** Agents patch what they run into what is offered; who makes or checks such a patch needs both. */
function keepBases(offered: readonly Release[], releases: readonly KnownRelease[], keep: Keep): void {
  for (const { version, binaries } of offered) {
    const downloads = Object.values(binaries).flatMap((binary) => binary.downloads ?? [])
    const bases = new Set(downloads.flatMap(({ from }) => (from === undefined ? [] : [from])))
    for (const base of releases)
      if (Object.values(base.release.binaries).some(({ sha256 }) => bases.has(sha256)))
        keep(base.version, `base of a delta of ${version}`)
  }
}

/**
 * What a channel may offer next, and what it has offered last: caches may still serve the manifest before the live one.
 * Where its history does not tell enough, anything up to the live version may have been offered.
 */
function keepLine(
  { channel, kind, release: { version: head }, past }: Offer,
  all: readonly KnownRelease[],
  count: number,
  keep: Keep,
): void {
  const headText = kind === 'live' ? `the live ${head}` : head
  for (const { version } of all) {
    const order = compareVersions(version, head)
    const isNext = order > 0 && (!isPrerelease(version) || isPrerelease(head))
    if (isNext) keep(version, `newer than ${headText} of ${channel}`)
    else if (past.offers.some(({ release }) => release.version === version))
      keep(version, `of the last ${count} live on ${channel}`)
    else if (past.cut !== undefined && order <= 0)
      keep(version, `may have been live on ${channel}, whose history does not tell`)
  }
}

/** Prepared, and offered by nobody yet. Without any manifest everything is. */
export function isNewest(version: string, offers: readonly Offer[]): boolean {
  return offers.every(({ release }) => compareVersions(version, release.version) > 0)
}

function isPrerelease(version: string): boolean {
  return version.split('+')[0]?.includes('-') === true
}

/** A name in a rollout may be anything; build metadata does not tell versions apart there. */
function isSame(name: string, version: string): boolean {
  return name.split('+')[0] === version.split('+')[0]
}
