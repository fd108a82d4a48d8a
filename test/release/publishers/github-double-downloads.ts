// The downloads of the double: two redirects, the last to another host with a signature that ends.

import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

import type { GitHubDouble } from './github-double.ts'
import { type DoubleAsset, OWNER, REPO } from './github-double-state.ts'

const LINK_LIFE_MS = 300_000

interface Signed {
  readonly asset: DoubleAsset
  readonly untilMs: number
}

/** By signature. */
export type Links = Map<string, Signed>

export function serveDownload(
  double: GitHubDouble,
  links: Links,
  storage: string,
  url: URL,
  method: string,
  response: ServerResponse,
): void {
  double.downloads.push(`${method} web ${url.pathname}`)
  const base = `/${OWNER}/${REPO}/releases/`
  const rest =
    url.pathname.startsWith(base) && !double.state.isPrivate ? decodeURIComponent(url.pathname.slice(base.length)) : ''
  const latest = /^latest\/download\/([^/]+)$/.exec(rest)?.[1]
  if (latest !== undefined) {
    const release = double.state.latest()
    if (release === undefined) return void response.writeHead(404).end('Not Found')
    return redirect(response, `${url.origin}${base}download/${release.tag}/${latest}`)
  }
  const [, tag = '', name] = /^download\/(.+)\/([^/]+)$/.exec(rest) ?? []
  const assets = [...(double.state.published(tag)?.assets.values() ?? [])]
  const asset = assets.find((one) => one.name === name && one.state === 'uploaded')
  if (asset === undefined) return void response.writeHead(404).end('Not Found')
  redirect(response, sign(double, links, storage, asset))
}

export function sign({ state }: GitHubDouble, links: Links, storage: string, asset: DoubleAsset): string {
  const signature = randomBytes(16).toString('base64')
  links.set(signature, { asset, untilMs: state.now().getTime() + LINK_LIFE_MS })
  return `${storage}/release-assets/${asset.id}?sp=r&sig=${encodeURIComponent(signature)}&rscd=attachment%3B+filename%3D${asset.name}`
}

/** The last host: it knows its own signatures, and takes no other credentials beside them. */
export function serveStored(
  { state, downloads }: GitHubDouble,
  links: Links,
  { method = '', url: target = '', headers }: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(target, 'http://storage.invalid')
  downloads.push(`${method} storage ${url.pathname}${headers['if-none-match'] === undefined ? '' : ' if-none-match'}`)
  const link = links.get(url.searchParams.get('sig') ?? '')
  if (headers.authorization !== undefined && state.isStorageStrict)
    return void response.writeHead(400).end('InvalidAuthenticationInfo')
  if (link === undefined || state.now().getTime() > link.untilMs) return void response.writeHead(403).end('expired')
  const { bytes } = link.asset
  const etag = `"0x${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`
  if (headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end()
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  const part = bytes.subarray(from)
  response.writeHead(from === 0 ? 200 : 206, {
    etag,
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    'content-length': part.length,
    ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  })
  response.end(part)
}

export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location }).end()
}
