import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ERROR_CODES, type ErrorCode, MoultError } from '../../manifests/index.ts'
import { diagnose } from '../../release/index.ts'

test('every code that can be said about what is published has a finding, and no other code has', () => {
  const about = /^ERR_(NETWORK|MANIFEST|TRUST|BYTES)_/
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    assert.equal(diagnose(new MoultError(code, '')) !== undefined, about.test(code), code)
  }
})

test('attack, old copy, expiry, outage and rubbish are told apart', () => {
  const findings: readonly (readonly [ErrorCode, string])[] = [
    ['ERR_TRUST_SIGNATURE', 'hostile'],
    ['ERR_TRUST_EQUIVOCATION', 'hostile'],
    ['ERR_TRUST_BINDING', 'hostile'],
    ['ERR_BYTES_HASH', 'hostile'],
    ['ERR_TRUST_REPLAY', 'stale'],
    ['ERR_TRUST_EXPIRED', 'expired'],
    ['ERR_TRUST_ROOT_EXPIRED', 'expired'],
    ['ERR_NETWORK_TIMEOUT', 'unreachable'],
    ['ERR_MANIFEST_SYNTAX', 'malformed'],
  ]
  for (const [code, finding] of findings) assert.equal(diagnose(new MoultError(code, ''))?.finding, finding, code)
})
