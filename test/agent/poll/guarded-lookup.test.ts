import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import test from 'node:test'

import { guardedLookup } from '../../../agent/poll/guarded-lookup.ts'
import { isMoultError } from '../../../manifests/index.ts'

const NAMES: Readonly<Record<string, LookupAddress[]>> = {
  'updates.example.com': [{ address: '93.184.216.34', family: 4 }],
  'cdn.example.com': [{ address: '93.184.216.35', family: 4 }],
  'rebound.example.com': [{ address: '169.254.169.254', family: 4 }],
  'half.example.com': [
    { address: '93.184.216.36', family: 4 },
    { address: '::ffff:127.0.0.1', family: 6 },
  ],
  'updates.corp': [{ address: '10.1.2.3', family: 4 }],
  'files.corp': [{ address: '10.1.2.4', family: 4 }],
}

function lookUp(base: string, hostname: string, all = true): Promise<unknown> {
  const lookup = guardedLookup(new URL(base), (name, _options, callback) => {
    const addresses = NAMES[name]
    if (addresses === undefined) callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), [])
    else callback(null, addresses)
  })
  return new Promise((resolve, reject) => {
    lookup(hostname, { all }, (error, address) => {
      if (error === null) resolve(address)
      else reject(error)
    })
  })
}

const isRefused = (error: unknown): boolean => isMoultError(error) && error.code === 'ERR_NETWORK_URL'

test('a public name that resolves to an internal address is refused when the configured host is public', async () => {
  await assert.rejects(lookUp('https://updates.example.com/', 'rebound.example.com'), isRefused)
  assert.deepEqual(await lookUp('https://updates.example.com/', 'cdn.example.com'), NAMES['cdn.example.com'])
})

test('one internal address among public ones is enough to refuse, also an IPv4 address in IPv6 form', async () => {
  await assert.rejects(lookUp('https://updates.example.com/', 'half.example.com'), isRefused)
})

test('an internal update server may send agents to other internal hosts', async () => {
  assert.deepEqual(await lookUp('https://updates.corp/', 'updates.corp'), NAMES['updates.corp'])
  assert.deepEqual(await lookUp('https://updates.corp/', 'files.corp'), NAMES['files.corp'])
})

test('one address is answered to those who ask for one, and a failed look-up stays what it was', async () => {
  assert.equal(await lookUp('https://updates.example.com/', 'cdn.example.com', false), '93.184.216.35')
  await assert.rejects(lookUp('https://updates.example.com/', 'nowhere.example.com'), { code: 'ENOTFOUND' })
})
