import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'

import { MoultError } from '../../manifests/index.ts'
import { isInternal } from './url-policy.ts'

type Resolver = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * The name look-up of one connection. What the URL says is checked before (`resolveUrl`); here the address counts that
 * the connection really goes to, so that a public name that resolves to the machine's own network gains nothing.
 *
 * @param base the configured URL: its own host may be anywhere, and other hosts may be internal when it is
 */
export function guardedLookup(base: URL, resolve: Resolver = lookup): LookupFunction {
  return (hostname, options, callback) => {
    const answer = (addresses: LookupAddress[]): void => {
      const [first] = addresses
      if (options.all === true) callback(null, addresses)
      else callback(null, first?.address ?? '', first?.family)
    }
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, [])
      if (hostname === base.hostname || !hasInternal(addresses)) return answer(addresses)
      resolve(base.hostname, { all: true }, (_unknown, ofBase) => {
        if (hasInternal(ofBase ?? [])) return answer(addresses)
        const message = `a name that resolves to an internal address: ${hostname}`
        callback(new MoultError('ERR_NETWORK_URL', message, { details: { hostname } }), [])
      })
    })
  }
}

function hasInternal(addresses: readonly LookupAddress[]): boolean {
  return addresses.some(({ address }) => isInternal(address))
}
