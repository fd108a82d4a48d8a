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

/** Absolute below `baseUrl`, else relative to the channel's manifest. */
export function urlOf(path: string, channel: string, baseUrl: string | undefined): string {
  if (baseUrl !== undefined) return `${baseUrl.replace(/\/+$/, '')}/${path}`
  return channel === DEFAULT_CHANNEL ? path : `../${path}`
}

/** The inverse of `urlOf`; undefined for a URL that lies elsewhere. */
export function pathOf(url: string, channel: string, baseUrl: string | undefined): string | undefined {
  const prefix = urlOf('', channel, baseUrl)
  if (!url.startsWith(prefix)) return undefined
  const path = url.slice(prefix.length)
  return /^(?![a-z][a-z0-9+.-]*:|\/)/i.test(path) && !path.split('/').includes('..') ? path : undefined
}
