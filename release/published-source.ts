// Reads published files by the URLs that a manifest gives: from a folder, or through HTTP as an agent would.

import { createReadStream } from 'node:fs'
import { join } from 'node:path'

import { MANIFEST_MAX_BYTES, MoultError } from '../manifests/index.ts'
import { openHttp } from './open-http.ts'

export interface PublishedSource {
  /** URL of a path of the layout. */
  locate(path: string): URL
  /** @throws MoultError ERR_NETWORK_*, or ERR_CONFIG_MISSING for a folder without the manifest */
  open(url: URL, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

/** Stands for a folder, so that relative URLs are resolved by the same rules, and `..` cannot leave it. */
const FOLDER_ORIGIN = 'http://folder.invalid'

/**
 * @param place a folder, or the http(s) URL of `<base>` or of a manifest directly below it
 * @param baseUrl absolute URLs below it are read from the folder: it is what the folder will be served as
 */
export function openPublished(place: string, baseUrl?: string): PublishedSource {
  return /^https?:\/\//i.test(place) ? openUrl(place) : openFolder(place, baseUrl)
}

function openUrl(place: string): PublishedSource {
  const base = place.replace(/\/version\.json$/, '').replace(/\/*$/, '/')
  if (!URL.canParse(base)) throw new MoultError('ERR_NETWORK_URL', `not a URL: ${place}`)
  return { locate: (path) => new URL(path, base), open: openHttp }
}

function openFolder(dir: string, baseUrl: string | undefined): PublishedSource {
  const base = baseUrl?.replace(/\/*$/, '/')
  const local = (url: URL): string | undefined => {
    if (url.origin === FOLDER_ORIGIN) return url.pathname.slice(1)
    return base !== undefined && url.href.startsWith(base) ? url.href.slice(base.length) : undefined
  }
  return {
    locate: (path) => new URL(path, `${FOLDER_ORIGIN}/`),
    open: (url, signal) => {
      const path = local(url)
      return path === undefined ? openHttp(url, signal) : Promise.resolve(readFileOf(dir, path, signal))
    },
  }
}

async function* readFileOf(dir: string, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const names = path.split('/').map(decodeURIComponent)
  if (names.some((name) => name === '' || name === '..' || /[/\\\0]/.test(name))) {
    throw new MoultError('ERR_NETWORK_URL', `not a path inside the published folder: ${path}`)
  }
  const file = join(dir, ...names)
  try {
    for await (const chunk of createReadStream(file, { signal })) yield chunk as Buffer
  } catch (cause) {
    signal.throwIfAborted()
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    // On this machine that is no outage: the place was named wrongly, or it is too early.
    if (missing && names.at(-1) === 'version.json') throw nothingPublished(file, cause)
    throw new MoultError('ERR_NETWORK_STATUS', `${missing ? 'not found' : 'cannot be read'}: ${file}`, {
      details: { path },
      cause,
      ...(missing ? { hint: 'Is this the folder that `moult release` publishes to, and the right channel?' } : {}),
    })
  }
}

function nothingPublished(file: string, cause: unknown): MoultError {
  return new MoultError('ERR_CONFIG_MISSING', `nothing is published here: ${file}`, {
    hint: 'Publish with `moult release` first, or name the folder, and the channel with --channel.',
    details: { file },
    cause,
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
