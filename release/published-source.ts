// Reads published files by the URLs that a manifest gives: from the place itself, or through HTTP as an agent would.

import { MANIFEST_MAX_BYTES, MoultError } from '../manifests/index.ts'
import { openHttp } from './open-http.ts'
import { openDirectory } from './publishers/directory.ts'
import { locateDownloads } from './publishers/github-layout.ts'
import type { Publisher } from './publishers/publisher.ts'

export interface PublishedSource {
  /** URL of a path of the layout. */
  locate(path: string): URL
  /** @throws MoultError ERR_NETWORK_* or ERR_PUBLISH_*, or ERR_CONFIG_MISSING for a place without the manifest */
  open(url: URL, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

/** Stands for a place, so that relative URLs are resolved by the same rules, and `..` cannot leave it. */
const PLACE_ORIGIN = 'http://place.invalid'

/**
 * @param place a folder, the http(s) URL of `<base>` or of a manifest directly below it, or a publisher
 * @param baseUrl absolute URLs below it are read from the folder or publisher: it is what the files will be served as
 */
export function openPublished(place: string | Publisher, baseUrl?: string): PublishedSource {
  if (typeof place !== 'string') return openPublisherPlace(place, baseUrl)
  return /^https?:\/\//i.test(place) ? openUrl(place) : openPlace(openDirectory(place, Date.now), baseUrl)
}

function openUrl(place: string): PublishedSource {
  const base = place.replace(/\/version\.json$/, '').replace(/\/*$/, '/')
  if (!URL.canParse(base)) throw new MoultError('ERR_NETWORK_URL', `not a URL: ${place}`)
  return { locate: locateDownloads(place) ?? ((path) => new URL(path, base)), open: openHttp }
}

/** As an agent would, where the place serves its files itself. */
function openPublisherPlace(publisher: Publisher, baseUrl: string | undefined): PublishedSource {
  const locate = publisher.urlOf?.bind(publisher)
  return locate === undefined ? openPlace(publisher, baseUrl) : { locate, open: openHttp }
}

function openPlace(publisher: Publisher, baseUrl: string | undefined): PublishedSource {
  const base = baseUrl?.replace(/\/*$/, '/')
  const local = (url: URL): string | undefined => {
    if (url.origin === PLACE_ORIGIN) return url.pathname.slice(1)
    return base !== undefined && url.href.startsWith(base) ? url.href.slice(base.length) : undefined
  }
  return {
    locate: (path) => new URL(path, `${PLACE_ORIGIN}/`),
    open: (url, signal) => {
      const path = local(url)
      return path === undefined ? openHttp(url, signal) : openAt(publisher, path, signal)
    },
  }
}

async function openAt(publisher: Publisher, path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const names = path.split('/').map(decodeURIComponent)
  if (names.some((name) => name === '' || name === '..' || /[/\\\0]/.test(name))) {
    throw new MoultError('ERR_NETWORK_URL', `not a path inside the published place: ${path}`)
  }
  const chunks = await publisher.open(names.join('/'), signal)
  if (chunks !== undefined) return chunks
  const file = `${publisher.target.replace(/\/+$/, '')}/${names.join('/')}`
  // That is no outage: the place was named wrongly, or it is too early.
  if (names.at(-1) === 'version.json') throw nothingPublished(file)
  throw new MoultError('ERR_NETWORK_STATUS', `not found: ${file}`, {
    hint: 'Is this the place that `moult release` publishes to, and the right channel?',
    details: { path },
  })
}

function nothingPublished(file: string): MoultError {
  return new MoultError('ERR_CONFIG_MISSING', `nothing is published here: ${file}`, {
    hint: 'Publish with `moult release` first, or name the place, and the channel with --channel.',
    details: { file },
  })
}

/** A whole document, of at most the size of a manifest. @throws MoultError ERR_NETWORK_* or ERR_MANIFEST_TOO_LARGE */
export async function readSmall(source: PublishedSource, url: URL, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of await source.open(url, signal)) {
    size += chunk.length
    if (size > MANIFEST_MAX_BYTES)
      throw new MoultError('ERR_MANIFEST_TOO_LARGE', `larger than ${MANIFEST_MAX_BYTES} bytes: ${url.pathname}`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
