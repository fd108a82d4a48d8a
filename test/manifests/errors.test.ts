import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  ERROR_CODES,
  type ErrorCode,
  EXIT_UPDATED,
  isMoultError,
  MoultError,
  toMoultError,
} from '../../manifests/index.ts'
import type * as Errors from '../../manifests/errors.ts'

const codes = Object.entries(ERROR_CODES)
/** SPEC 7: what fails in an area exits with its status. */
const EXIT_OF_AREA: Readonly<Record<string, number>> = {
  BUG: 1,
  USAGE: 2,
  CONFIG: 2,
  BUILD: 2,
  SERVER: 2,
  NETWORK: 20,
  MANIFEST: 21,
  TRUST: 22,
  BYTES: 23,
  POLICY: 24,
  STAGE: 25,
  HOME: 25,
  CLUSTER: 25,
  UPDATE: 26,
  PUBLISH: 27,
  LOCK: 28,
}

describe('the error table', () => {
  test('names codes ERR_<AREA>_<REASON>; a defect has no reason', () => {
    for (const [code] of codes) assert.match(code, /^ERR_(BUG|[A-Z]+(_[A-Z]+)+)$/)
  })

  test('gives each area the exit status of the specification', () => {
    for (const [code, { exit }] of codes) assert.equal(exit, EXIT_OF_AREA[code.split('_')[1] ?? ''], code)
    const used = new Set(codes.map(([, { exit }]) => exit))
    assert.deepEqual(
      [...used].toSorted((a, b) => a - b),
      [1, 2, 20, 21, 22, 23, 24, 25, 26, 27, 28],
    )
  })

  test('keeps 0 and 100 for success', () => {
    assert.equal(EXIT_UPDATED, 100)
    assert.ok(codes.every(([, { exit }]) => exit > 0 && exit < EXIT_UPDATED))
  })

  test('says each thing once, as a clause', () => {
    assert.equal(new Set(codes.map(([, { summary }]) => summary)).size, codes.length)
    for (const [code, { summary }] of codes) assert.match(summary, /^(?:[a-z]|URL).*[a-z0-9]$/, code)
  })

  test('never calls a failure of trust or policy retryable', () => {
    for (const [code, { exit, retryable }] of codes)
      if (exit === 22 || exit === 24) assert.equal(retryable, false, code)
  })
})

describe('MoultError', () => {
  test('carries code, hint, details and cause, and takes the rest from the table', () => {
    const cause = new TypeError('inner')
    const error = new MoultError('ERR_NETWORK_TIMEOUT', 'too slow: host', { hint: 'Wait.', details: { ms: 5 }, cause })
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'MoultError')
    assert.equal(error.exitCode, 20)
    assert.equal(error.retryable, true)
    assert.equal(error.cause, cause)
    assert.deepEqual(JSON.parse(JSON.stringify(error)), {
      code: 'ERR_NETWORK_TIMEOUT',
      message: 'too slow: host',
      hint: 'Wait.',
      details: { ms: 5 },
      retryable: true,
    })
  })

  test('leaves out what it does not have', () => {
    const error = new MoultError('ERR_LOCK_HELD', 'held')
    assert.equal('cause' in error, false)
    assert.deepEqual(error.toJSON(), { code: 'ERR_LOCK_HELD', message: 'held', retryable: true })
  })

  test('is made for every code', () => {
    for (const [code, { exit, retryable }] of codes) {
      const error = new MoultError(code as ErrorCode, 'x')
      assert.deepEqual([error.code, error.exitCode, error.retryable], [code, exit, retryable])
    }
  })

  test('is known to another loaded copy of this package, although its class is not', async () => {
    const url = new URL('../../manifests/errors.ts?copy=2', import.meta.url).href
    const copy = (await import(url)) as typeof Errors
    const foreign = new copy.MoultError('ERR_TRUST_EXPIRED', 'expired')
    assert.equal(foreign instanceof MoultError, false)
    assert.equal(isMoultError(foreign), true)
    assert.equal(toMoultError(foreign), foreign)
  })

  test('is not what only looks like one', () => {
    const lookalike = { name: 'MoultError', code: 'ERR_BUG', message: 'x', 'moult.error': true }
    for (const value of [
      lookalike,
      new Error('x'),
      undefined,
      null,
      'ERR_BUG',
      22,
      JSON.parse(JSON.stringify(new MoultError('ERR_BUG', 'x'))),
    ]) {
      assert.equal(isMoultError(value), false)
    }
  })

  test('wraps anything else that was thrown as a defect', () => {
    const inner = new RangeError('stack')
    const wrapped = toMoultError(inner)
    assert.deepEqual([wrapped.code, wrapped.message, wrapped.cause, wrapped.exitCode], ['ERR_BUG', 'stack', inner, 1])
    for (const value of [undefined, null, 'text', 7, Symbol('s')]) assert.equal(toMoultError(value).code, 'ERR_BUG')
  })
})
