// What becomes of each published file. Only files whose name and version are understood can go.

import { ATTACHMENT_FILES } from '../attachments/attachment.ts'
import { compareVersions, isVersion, type Release } from '../../manifests/index.ts'
import { feedPath } from '../layout.ts'
import type { PublishedFile } from '../publishers/publisher.ts'
import { isNewest, type Kept } from './choose-kept.ts'
import { isManifest, type Offer } from './read-offers.ts'
import { type FoundRelease, type KnownRelease, versionOfDocument } from './read-releases.ts'

export interface JudgedFile extends PublishedFile {
  /** `unknown`: kept, because it is not understood. */
  readonly action: 'keep' | 'remove' | 'unknown'
  /** For a person. */
  readonly why: string
}

export interface Survey {
  readonly name: string
  readonly files: readonly PublishedFile[]
  readonly found: readonly FoundRelease[]
  readonly offers: readonly Offer[]
  readonly kept: Kept
}

type Judgement = Pick<JudgedFile, 'action' | 'why'>

/** In the order of removal: oldest version first, and of each its document before its files; then what stays. */
export function judgeFiles(survey: Survey): JudgedFile[] {
  const judge = judgeOf(survey)
  const judged = survey.files.map((file) => ({ ...file, ...judge(file.path) }))
  const going = judged.filter(({ action }) => action === 'remove')
  return [...going.toSorted(inOrderOfRemoval), ...judged.filter(({ action }) => action !== 'remove')]
}

/**
 * The document is the commit point of a release, so it goes first: a run that is killed leaves releases that are whole,
 * and files without a document, which the next run takes for what they are.
 */
function inOrderOfRemoval(a: JudgedFile, b: JudgedFile): number {
  const [one, other] = [versionOf(a.path), versionOf(b.path)]
  const byVersion = compareVersions(one, other) || (one < other ? -1 : Number(one > other))
  return byVersion || Number(isDocument(b.path)) - Number(isDocument(a.path)) || (a.path < b.path ? -1 : 1)
}

function judgeOf({ name, found, offers, kept }: Survey): (path: string) => Judgement {
  const known = found.filter((one) => one.kind === 'known')
  const unknown = new Map(found.flatMap((one) => (one.kind === 'unknown' ? [[one.version, one.reason]] : [])))
  const needed = neededPaths(known, offers, kept)
  const byVersion = new Map(known.map((one) => [one.version, pathsIn([one.release])]))
  const isOurs = ownNames(name, known, offers)

  const judgeVersion = (version: string): Judgement | undefined => {
    const reason = unknown.get(version)
    const why = kept.get(version)
    if (why !== undefined) return { action: 'keep', why }
    return reason === undefined
      ? undefined
      : { action: 'unknown', why: `a release document that is not understood: ${reason}` }
  }
  const judgeArtifact = (path: string, version: string, file: string): Judgement => {
    const why = needed.get(path)
    if (why !== undefined) return { action: 'keep', why }
    const named = byVersion.get(version)
    if (named === undefined && isNewest(version, offers))
      return { action: 'keep', why: 'newer than what is live, and not finished' }
    if (named?.has(path) !== true && !isOurs(file)) return { action: 'unknown', why: 'no release document names it' }
    return { action: 'remove', why: named === undefined ? 'its release document is gone, or never came' : UNNEEDED }
  }

  return (path) => {
    if (offers.some((offer) => isManifest(path, offer))) return { action: 'keep', why: 'manifest' }
    if (/^history\/[0-9a-f]{64}\.json$/.test(path)) return { action: 'keep', why: 'history' }
    if (offers.some(({ channel }) => path === feedPath(channel))) return { action: 'keep', why: 'feed' }
    if (/^trust\/\d+\.root\.json$/.test(path)) return { action: 'keep', why: 'root document' }
    const document = versionOfDocument(path)
    if (document !== undefined) return judgeVersion(document) ?? { action: 'remove', why: UNNEEDED }
    const [, version, file] = /^bin\/([^/]+)\/([^/]+)$/.exec(path) ?? []
    if (version === undefined || file === undefined || !isVersion(version))
      return { action: 'unknown', why: 'no name of a published file' }
    return judgeVersion(version) ?? judgeArtifact(path, version, file)
  }
}

const UNNEEDED = 'needed by no manifest'

function neededPaths(known: readonly KnownRelease[], offers: readonly Offer[], kept: Kept): Map<string, string> {
  const releases = [...offers.map(({ release }) => release), ...known.map(({ release }) => release)]
  const needing = releases.filter(({ version }) => kept.has(version))
  return new Map(
    needing.flatMap((release) => [...pathsIn([release])].map((path) => [path, `named by ${release.version}`])),
  )
}

/**
 * Every path that the URLs may mean: what follows any slash. Base URLs change with the years, and none has to be known
 * for this.
 */
function pathsIn(releases: readonly Release[]): Set<string> {
  const paths = new Set<string>()
  for (const { binaries, attachments = {} } of releases) {
    const wholes = Object.values(binaries).flatMap((binary) => [binary, ...(binary.downloads ?? [])])
    for (const { url } of [...wholes, ...Object.values(attachments)]) {
      const parts = decode(url.replace(/[?#].*$/, '')).split('/')
      for (let start = 0; start < parts.length; start++) paths.add(parts.slice(start).join('/'))
    }
  }
  return paths
}

function decode(url: string): string {
  try {
    return decodeURIComponent(url)
  } catch {
    return url
  }
}

/** Names of files that a release of this project has; they are known without its document, which may be gone. */
function ownNames(name: string, known: readonly KnownRelease[], offers: readonly Offer[]): (file: string) => boolean {
  const attachments = [...known, ...offers].flatMap(({ release }) => Object.values(release.attachments ?? {}))
  const fileNames = new Set<string | undefined>([
    ...Object.values(ATTACHMENT_FILES),
    ...attachments.map(({ url }) => decode(url).split('/').at(-1)),
  ])
  const artifact = /^[a-z0-9]{1,16}-[a-z0-9_]{1,16}(?:\.br|\.from-.+)?$/
  return (file) => fileNames.has(file) || (file.startsWith(`${name}-`) && artifact.test(file.slice(name.length + 1)))
}

function isDocument(path: string): boolean {
  return versionOfDocument(path) !== undefined
}

function versionOf(path: string): string {
  return versionOfDocument(path) ?? path.split('/')[1] ?? ''
}
