import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'

import { canonicalJson, type JsonValue, parseStrictJson, sha256, signedBytes } from '../../manifests/index.ts'

import { testSeed } from '../fuzz/random.ts'
import { RandomDocuments } from '../fuzz/random-documents.ts'

const text = (value: JsonValue): string => new TextDecoder().decode(canonicalJson(value))
const hasJq = spawnSync('jq', ['--version']).status === 0

describe('canonical JSON', () => {
  test('sorts keys by code unit at every level and writes no space', () => {
    const value = { b: 1, a: [{ z: 1, Z: 2, '10': 3, '9': 4, _: 5 }], B: null, aa: true }
    assert.equal(text(value), '{"B":null,"a":[{"10":3,"9":4,"Z":2,"_":5,"z":1}],"aa":true,"b":1}')
  })

  test('writes the shortest strings: only quote, backslash, tab, LF and CR are escaped', () => {
    assert.equal(text('a/"\\\t\n\r<é\u2028\u{1f600}'), '"a/\\"\\\\\\t\\n\\r<é\u2028\u{1f600}"')
  })

  test('does not depend on the order, spacing or escapes of the source', () => {
    const one = parseStrictJson(new TextEncoder().encode('{"a":"\\u00e9\\/","b":[1,{"c":2,"d":3}]}'))
    const other = parseStrictJson(new TextEncoder().encode('{\r\n "b" : [ 1, {"d":3,"\\u0063":2} ],\t"a":"é/" }\n'))
    assert.equal(text(one), text(other))
  })

  test('leaves the unsigned members out at the top level only', () => {
    const document = { sub: { signatures: 1 }, signatures: [], trust: [], version: '1' }
    const bytes = signedBytes(document, ['signatures', 'trust', 'absent'])
    assert.equal(new TextDecoder().decode(bytes), '{"sub":{"signatures":1},"version":"1"}')
    assert.deepEqual(Object.keys(document), ['sub', 'signatures', 'trust', 'version'])
  })

  test('sha256 is the lower-case digest of the bytes', () => {
    assert.equal(sha256(new TextEncoder().encode('abc')), createHash('sha256').update('abc').digest('hex'))
  })

  test('random documents give the bytes of `jq -cSj .` and read back the same', (t) => {
    const seed = testSeed()
    t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
    const random = new RandomDocuments(seed)
    const documents = Array.from({ length: 400 }, () => random.object(4))
    const sources = documents.map((document) => random.write(document))
    const canonical = sources.map((source) => canonicalJson(parseStrictJson(new TextEncoder().encode(source))))
    for (const [index, bytes] of canonical.entries()) {
      assert.deepEqual(parseStrictJson(bytes), documents[index], `seed ${seed}, document ${index}`)
    }
    if (!hasJq) return t.skip('jq is not installed: the comparison with `jq -cSj .` was NOT made')
    const jq = spawnSync('jq', ['-cSj', '.'], { input: sources.join('\n'), maxBuffer: 1 << 28 })
    assert.equal(jq.status, 0, jq.stderr.toString())
    let at = 0
    for (const [index, bytes] of canonical.entries()) {
      const theirs = jq.stdout.subarray(at, at + bytes.length).toString()
      assert.equal(theirs, Buffer.from(bytes).toString(), `seed ${seed}, document ${index}`)
      at += bytes.length
    }
    assert.equal(jq.stdout.length, at)
  })
})

describe('canonical JSON as an encoding', () => {
  const ROUNDS = 3000

  test('is stable: what it gives reads back as the value, and gives the same bytes again', (t) => {
    const seed = testSeed()
    t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
    for (let round = 0; round < ROUNDS; round += 1) {
      const random = new RandomDocuments(seed, round)
      const value = random.value(4)
      const bytes = canonicalJson(value)
      const again = parseStrictJson(bytes)
      assert.deepEqual(again, value, `seed ${seed}, round ${round}`)
      assert.deepEqual(canonicalJson(again), bytes, `seed ${seed}, round ${round}`)
      const rewritten = parseStrictJson(new TextEncoder().encode(random.write(value)))
      assert.deepEqual(canonicalJson(rewritten), bytes, `seed ${seed}, round ${round}`)
    }
  })

  test('is injective: two values have the same bytes exactly if they are equal, near misses included', (t) => {
    const seed = testSeed()
    t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
    const valuesByText = new Map<string, JsonValue>()
    let misses = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const random = new RandomDocuments(seed, round)
      const value = random.value(3)
      const near = random.nearMiss(value)
      const isEqual = isDeepStrictEqual(value, near)
      assert.equal(text(near) === text(value), isEqual, `seed ${seed}, round ${round}`)
      if (!isEqual) misses += 1
      for (const one of [value, near]) {
        const before = valuesByText.get(text(one))
        if (before !== undefined) assert.deepEqual(one, before, `seed ${seed}, round ${round}`)
        valuesByText.set(text(one), one)
      }
    }
    assert.ok(misses > ROUNDS / 2, `only ${misses} near misses`)
  })
})
