// Names of the published files (SPEC 2), relative to `<base>`.

import type { Platform } from '../manifests/index.ts'

export const DEFAULT_CHANNEL = 'stable'

export function manifestPath(channel: string): string {
  return channel === DEFAULT_CHANNEL ? 'version.json' : `${channel}/version.json`
}

/**
 * The manifest whose publishing began last, whether it is live, was put back or never arrived: an agent may have seen it.
 * Hidden, since it is for the next publish and for nobody else.
 */
export function attemptPath(channel: string): string {
  return manifestPath(channel).replace(/version\.json$/, '.attempted.json')
}

export function releasePath(version: string): string {
  return `releases/${version}.json`
}

export function rootPath(version: number): string {
  return `trust/${version}.root.json`
}

export function artifactPath(name: string, version: string, platform: Platform, encoding?: string): string {
  return `bin/${version}/${name}-${platform}${encoding === undefined ? '' : `.${encoding}`}`
}

/** What turns the artifact of the version `base` into this one. A plus is no character of file names everywhere; `_` is none of versions. */
export function deltaPath(name: string, version: string, platform: Platform, base: string): string {
  return artifactPath(name, version, platform, `from-${base.replaceAll('+', '_')}`)
}

/** The version that a delta starts from, by its URL; undefined for other URLs. */
export function baseOfDelta(url: string): string | undefined {
  return /\/[^/]+?\.from-([^/]+)$/.exec(url)?.[1]?.replaceAll('_', '+')
}

export function attachmentPath(version: string, fileName: string): string {
  return `bin/${version}/${fileName}`
}

/** The manifest of a time, by the hash of its bytes: `previous` of the one after it names it. */
export function historyPath(sha256: string): string {
  return `history/${sha256}.json`
}

export function feedPath(channel: string): string {
  return manifestPath(channel).replace(/version\.json$/, 'feed.atom')
}

/** Where `<base>` lies, seen from the manifest of a channel; undefined where it lies in it. */
export function baseFrom(channel: string): string | undefined {
  return channel === DEFAULT_CHANNEL ? undefined : '../'
}

/**
 * Absolute below `baseUrl`, else relative to `<base>`, whatever the channel: a release is the same on all of them. The
 * plus of a version with build metadata is escaped, because S3 reads a plain one in a path as a space.
 */
export function urlOf(path: string, baseUrl: string | undefined): string {
  const escaped = path.replaceAll('+', '%2B')
  return baseUrl === undefined ? escaped : `${baseUrl.replace(/\/+$/, '')}/${escaped}`
}

/** The inverse of `urlOf`; undefined for a URL that lies elsewhere. */
export function pathOf(url: string, baseUrl: string | undefined): string | undefined {
  const prefix = urlOf('', baseUrl)
  if (!url.startsWith(prefix)) return undefined
  // Releases of before have it plain.
  const path = url.slice(prefix.length).replaceAll('%2B', '+')
  return /^(?![a-z][a-z0-9+.-]*:|\/)/i.test(path) && !path.split('/').includes('..') ? path : undefined
}
