// Where an agent may send a request. A signed manifest may name other hosts; neither it nor a redirect may weaken the
// transport or reach into the machine's own network.

import { BlockList, isIP } from 'node:net'

import { MoultError } from '../../manifests/index.ts'

export const REDIRECTS_MAX = 5

const INTERNAL = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  INTERNAL.addSubnet(network, prefix, 'ipv4')
}
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  INTERNAL.addSubnet(network, prefix, 'ipv6')
}

/**
 * Resolves a reference against the manifest's URL and checks it.
 *
 * @param base the configured URL of the manifest: what it is (http, an internal address) is allowed to others too
 * @throws MoultError ERR_NETWORK_URL
 */
export function resolveUrl(reference: string, base: URL): URL {
  let url: URL
  try {
    url = new URL(reference, base)
  } catch (cause) {
    throw new MoultError('ERR_NETWORK_URL', 'not a URL', { cause })
  }
  const refuse = (reason: string): never => {
    throw new MoultError('ERR_NETWORK_URL', `${reason}: ${url.protocol}//${url.host}`, {
      details: { url: withoutSecrets(url) },
    })
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && base.protocol === 'http:')) {
    refuse(url.protocol === 'http:' ? 'http from an https source' : 'not an http or https URL')
  }
  if (url.username !== '' || url.password !== '') refuse('a URL with credentials')
  if (isInternal(url.hostname) && !isInternal(base.hostname)) refuse('an internal address from a public source')
  return url
}

/** The configured URL of an update server: a directory of `version.json`, or the file itself. */
export function manifestUrl(server: string, channel: string): URL {
  let url: URL
  try {
    url = new URL(server)
  } catch (cause) {
    throw notHttp('a URL', server, cause)
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw notHttp('an http or https URL', server)
  }
  if (url.username !== '' || url.password !== '') {
    throw new MoultError('ERR_CONFIG_INVALID', 'server: expected a URL without credentials', {
      hint: 'Give them as a header, which goes to this server only: "headers": { "authorization": "..." }.',
    })
  }
  if (url.pathname.endsWith('.json')) return url
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  url.pathname += channel === 'stable' ? 'version.json' : `${channel}/version.json`
  return url
}

/** `localhost:8090` is a URL, of a scheme `localhost:`; nobody means that. */
function notHttp(expected: string, server: string, cause?: unknown): MoultError {
  const [, host = '', port] = /^([A-Za-z0-9-][A-Za-z0-9.-]*)(:[0-9]{1,5})?(?:\/[^@]*)?$/.exec(server) ?? []
  const isHost = isInternal(host) || host.includes('.') || (host !== '' && port !== undefined)
  // Before an @ there may be a password.
  const got = server.includes('@') ? 'one with credentials' : JSON.stringify(server)
  return new MoultError('ERR_CONFIG_INVALID', `server: expected ${expected}, got ${got}`, {
    cause,
    ...(isHost ? { hint: `Did you mean ${isInternal(host) ? 'http' : 'https'}://${server}?` } : {}),
  })
}

/** A URL for messages and logs: signed query strings and credentials stay out. */
export function withoutSecrets(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`
}

/** True for a name or address of this machine or of a network that is not the public one. */
export function isInternal(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$|\.$/g, '')
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  const family = isIP(host)
  return family !== 0 && INTERNAL.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
