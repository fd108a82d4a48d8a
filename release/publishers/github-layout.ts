// How the paths of the layout (SPEC 2) lie in a GitHub repository, which has releases with flat assets and no folders:
// the folder of a path is the tag of a release, and the rest the name of an asset. A tag may hold slashes, so that
// `<repository>/releases/download/<path>` is where GitHub serves the file. What cannot be that simple:
//
//   bin/<version>/<file>       as it is; the release stays a draft until its document is there
//   releases/<version>.json    release.json of that same release, which is published with it
//   trust/<n>.root.json        a release of its own, trust/<n>: a published release may be immutable
//   history/<sha256>.json      a release of its own, history/<sha256>, for the same reason
//   <channel>/version.json     as it is, in a release that stays; for one channel a new release each time,
//                              manifests/<channel>/<number>, which becomes the "latest" of the repository
//   <channel>/.attempted.json  attempted.json of the release <channel>: no asset begins with a dot

import { MoultError } from '../../manifests/index.ts'
import { attemptPath, DEFAULT_CHANNEL, historyPath, manifestPath, releasePath, rootPath } from '../layout.ts'

export interface Address {
  readonly tag: string
  readonly asset: string
}

export const MANIFEST_ASSET = 'version.json'
export const ATTEMPT_ASSET = 'attempted.json'
export const RELEASE_ASSET = 'release.json'
const SERIES = 'manifests'
const HISTORY = 'history'
/** An asset that takes the place of another one: uploaded, and not yet renamed. */
const PENDING = /^(.+)\.[0-9a-f]{8}\.next$/
/** GitHub silently changes other names. */
const ASSET_NAME = /^[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/
const ASSET_NAME_MAX_CHARS = 200

/** @throws MoultError ERR_PUBLISH_REFUSED for a path that has no place, or the same one as another */
export function addressOf(path: string): Address {
  const address = rawAddressOf(path)
  const isName = ASSET_NAME.test(address.asset) && address.asset.length <= ASSET_NAME_MAX_CHARS
  if (!isName || PENDING.test(address.asset))
    throw refused(path, 'not a name of a release asset', 'Letters, digits, `.`, `_` and `-`, beginning without a dot.')
  if (!isTag(address.tag))
    throw refused(path, `no git tag can be called ${address.tag}`, 'Choose another version or channel.')
  if (pathOfAsset(address) !== path)
    throw refused(path, `the name belongs to another file, ${pathOfAsset(address)}`, 'Choose another name.')
  return address
}

function rawAddressOf(path: string): Address {
  const version = /^releases\/([^/]+)\.json$/.exec(path)?.[1]
  if (version !== undefined) return { tag: `bin/${version}`, asset: RELEASE_ASSET }
  const root = /^trust\/(\d+)\.root\.json$/.exec(path)?.[1]
  if (root !== undefined) return { tag: `trust/${root}`, asset: `${root}.root.json` }
  const past = /^history\/([0-9a-f]{64})\.json$/.exec(path)?.[1]
  if (past !== undefined) return { tag: `${HISTORY}/${past}`, asset: `${past}.json` }
  const full = /^(?:version|\.attempted)\.json$/.test(path) ? `${DEFAULT_CHANNEL}/${path}` : path
  const slash = full.lastIndexOf('/')
  const [tag, name] = [full.slice(0, Math.max(slash, 0)), full.slice(slash + 1)]
  return { tag, asset: name === '.attempted.json' && !tag.includes('/') ? ATTEMPT_ASSET : name }
}

/** The inverse of `addressOf`. */
export function pathOfAsset({ tag, asset }: Address): string {
  const version = /^bin\/([^/]+)$/.exec(tag)?.[1]
  if (version !== undefined && asset === RELEASE_ASSET) return releasePath(version)
  const root = /^trust\/(\d+)$/.exec(tag)?.[1]
  if (root !== undefined && asset === `${root}.root.json`) return rootPath(Number(root))
  const past = /^history\/([0-9a-f]{64})$/.exec(tag)?.[1]
  if (past !== undefined && asset === `${past}.json`) return historyPath(past)
  if (!tag.includes('/') && asset === MANIFEST_ASSET) return manifestPath(tag)
  if (!tag.includes('/') && asset === ATTEMPT_ASSET) return attemptPath(tag)
  return `${tag}/${asset}`
}

/** The channel whose manifest this path is; undefined for other files. */
export function channelOfManifest(path: string): string | undefined {
  if (path === manifestPath(DEFAULT_CHANNEL)) return DEFAULT_CHANNEL
  return /^([^/]+)\/version\.json$/.exec(path)?.[1]
}

export function seriesTag(channel: string, number: number): string {
  return `${SERIES}/${channel}/${number}`
}

/** Which manifest of the channel a release is; undefined for other releases. */
export function seriesNumber(tag: string, channel: string): number | undefined {
  const prefix = `${SERIES}/${channel}/`
  const digits = tag.startsWith(prefix) ? tag.slice(prefix.length) : ''
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : undefined
}

export function isInSeries(tag: string): boolean {
  return tag.startsWith(`${SERIES}/`)
}

/** Whether it keeps a manifest of before. */
export function isHistory(tag: string): boolean {
  return tag.startsWith(`${HISTORY}/`)
}

export function pendingName(asset: string, nonce: string): string {
  return `${asset}.${nonce}.next`
}

/** The name that a pending asset is to get; undefined for other assets. */
export function targetOfPending(asset: string): string | undefined {
  return PENDING.exec(asset)?.[1]
}

/**
 * Where anybody fetches a path, below `<repository>/releases`.
 * @param isLatest whether its manifest is that of the latest release
 */
export function downloadPath(path: string, isLatest: (channel: string) => boolean): string {
  const channel = channelOfManifest(path)
  if (channel !== undefined && isLatest(channel)) return `latest/download/${MANIFEST_ASSET}`
  const { tag, asset } = addressOf(path)
  return `download/${tag}/${asset}`
}

/**
 * For the URL of a repository's downloads, how paths lie below it; undefined for any other URL. The two forms are those
 * that agents poll: `.../releases/latest/download`, and `.../releases/download` for channels that are not the latest.
 */
export function locateDownloads(place: string): ((path: string) => URL) | undefined {
  const [, base, form] =
    /^(https?:\/\/[^/]+\/[^/]+\/[^/]+\/releases\/)(latest\/download|download)(?:\/version\.json)?\/*$/.exec(place) ?? []
  if (base === undefined) return undefined
  const isLatest = (channel: string): boolean => form === 'latest/download' || channel === DEFAULT_CHANNEL
  return (path) => new URL(downloadPath(path, isLatest), base)
}

/** What `git check-ref-format` allows, of the characters that versions and names have. */
function isTag(tag: string): boolean {
  const isPart = (part: string): boolean =>
    /^[A-Za-z0-9_+-][A-Za-z0-9._+-]*$/.test(part) && !/\.\.|\.$|\.lock$/.test(part)
  return tag.split('/').every(isPart) && tag !== SERIES && tag.length <= ASSET_NAME_MAX_CHARS
}

function refused(path: string, reason: string, hint: string): MoultError {
  return new MoultError('ERR_PUBLISH_REFUSED', `${reason}: ${path}`, { hint, details: { path } })
}
