import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  assertSigned,
  type ErrorCode,
  type JsonObject,
  type JsonValue,
  type SigningRole,
  statementDigest,
} from '../../manifests/index.ts'
import { makeKey, signStatement, type TestKey } from '../fixtures/signed-manifest.ts'

const [a, b, stranger] = [makeKey('a'), makeKey('b'), makeKey('stranger')]
const statement: JsonObject = { format: 'test/1', text: 'x' }

function role(threshold: number, ...keys: readonly TestKey[]): SigningRole {
  return { threshold, keys: new Map(keys.map(({ id, publicKey }) => [id, publicKey])) }
}

function entries(...keys: readonly TestKey[]): JsonValue[] {
  return signStatement(statement, keys)['signatures'] as JsonValue[]
}

function accepts(signatures: JsonValue, by: SigningRole): void {
  assertSigned('statement', { ...statement, signatures }, ['signatures'], by)
}

function refuses(signatures: JsonValue, by: SigningRole, code: ErrorCode): void {
  assert.throws(() => accepts(signatures, by), { name: 'MoultError', code }, JSON.stringify(signatures))
}

describe('signatures of a statement', () => {
  test('are needed: none, or no list of them, is unsigned', () => {
    accepts(entries(a), role(1, a))
    assert.throws(() => assertSigned('statement', statement, ['signatures'], role(1, a)), {
      code: 'ERR_TRUST_UNSIGNED',
    })
    for (const nothing of [[], null, 'x', 1, true, {}, { 0: entries(a)[0] ?? null, length: 1 }]) {
      refuses(nothing, role(1, a), 'ERR_TRUST_UNSIGNED')
    }
  })

  test('count when a key of the role made them, wherever they stand', () => {
    accepts(entries(stranger, a), role(1, a))
    accepts(entries(a, stranger), role(1, a, b))
    refuses(entries(stranger), role(1, a), 'ERR_TRUST_SIGNATURE')
    refuses(entries(a), role(1, b), 'ERR_TRUST_SIGNATURE')
  })

  test('are not spoilt by rubbish beside them', () => {
    const [good] = entries(a) as [JsonObject]
    const sig = good['sig'] as string
    const rubbish: JsonValue[] = [
      null,
      7,
      'x',
      [],
      {},
      { key: a.id },
      { sig },
      { key: a.id, sig: '' },
      { key: a.id, sig: sig.slice(4) },
      { key: a.id, sig: `${sig}AAAA` },
      { key: a.id, sig: 'A'.repeat(5000) },
      { key: a.id, sig: `${sig}\n` },
      { key: a.id, sig: null },
      { key: a.id, sig: `${'A'.repeat(86)}==` },
      { key: b.id, sig },
      { key: '', sig },
      { key: 'x'.repeat(5000), sig },
      { key: a.id.toUpperCase(), sig },
      { key: [a.id], sig },
      { key: a.id, algorithm: 'ml-dsa-65', sig: { r: 1 } },
    ]
    for (const entry of rubbish) {
      accepts([entry, good], role(1, a, b))
      accepts([good, entry], role(1, a, b))
      assert.throws(() => accepts([entry], role(1, a, b)), {
        name: 'MoultError',
        code: /^ERR_TRUST_(SIGNATURE|UNSIGNED)$/,
      })
    }
    accepts([...rubbish, { ...good, note: 'later versions may say more' }], role(1, a))
  })

  test('of one key count once, however often and in whatever form they are repeated', () => {
    const two = role(2, a, b)
    accepts(entries(a, b), two)
    accepts(entries(a, a, b), two)
    refuses(entries(a), two, 'ERR_TRUST_THRESHOLD')
    refuses(entries(a, a, a), two, 'ERR_TRUST_THRESHOLD')
    const [good] = entries(a) as [JsonObject]
    refuses([good, { ...good, key: b.id }], two, 'ERR_TRUST_THRESHOLD')
    refuses([good, { ...good, key: a.id.toUpperCase() }], two, 'ERR_TRUST_THRESHOLD')
  })

  test('below the threshold are told apart from none at all, and only plain key ids are repeated in the details', () => {
    const signatures = [...entries(a), { key: '\u001b[2J', sig: 'x' }]
    assert.throws(() => accepts(signatures, role(2, a, b)), {
      code: 'ERR_TRUST_THRESHOLD',
      details: { valid: 1, threshold: 2, offered: [a.id] },
    })
  })

  test('of one key are tried twice and no more, so that a host cannot burn time with bad ones', () => {
    const bad = { key: a.id, sig: `${'A'.repeat(86)}==` }
    accepts([bad, ...entries(a)], role(1, a))
    refuses([bad, bad, ...entries(a)], role(1, a), 'ERR_TRUST_SIGNATURE')
    accepts([bad, bad, bad, ...entries(b)], role(1, a, b))
  })

  test('are at most as many as the limit', () => {
    const sixtyFour = Array.from({ length: 63 }, (): JsonValue => ({ key: stranger.id, sig: 'x' }))
    accepts([...sixtyFour, ...entries(a)], role(1, a))
    refuses([...sixtyFour, null, ...entries(a)], role(1, a), 'ERR_TRUST_UNSIGNED')
  })

  test('cover every member that is not left out, and no order', () => {
    const signed = signStatement(statement, [a])
    const by = role(1, a)
    const check = (document: JsonObject): void => assertSigned('statement', document, ['signatures'], by)
    check({ signatures: signed['signatures'] ?? null, text: 'x', format: 'test/1' })
    for (const changed of [
      { ...signed, text: 'y' },
      { ...signed, extra: null },
      { ...signed, format: 'test/2' },
    ]) {
      assert.throws(() => check(changed), { code: 'ERR_TRUST_SIGNATURE' })
    }
    const { text: _, ...without } = signed
    assert.throws(() => check(without), { code: 'ERR_TRUST_SIGNATURE' })
  })

  test('are no part of the digest of the statement', () => {
    const digest = statementDigest(statement, ['signatures'])
    assert.equal(statementDigest(signStatement(statement, [a]), ['signatures']), digest)
    assert.equal(statementDigest(signStatement(statement, [b, a]), ['signatures']), digest)
    assert.notEqual(statementDigest({ ...statement, text: 'y' }, ['signatures']), digest)
  })
})
