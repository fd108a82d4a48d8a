import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'

import {
  canonicalJson,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
  sha256,
  signedBytes,
} from '../../manifests/index.ts'

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
    const seed = Number(process.env['MOULT_TEST_SEED'] ?? Date.now() >>> 0)
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

/** Documents of the strict profile, and sources for them with any order, spacing and escapes. */
class RandomDocuments {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** An integer from 0 to below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  object(depth: number): JsonObject {
    const object: JsonObject = {}
    for (let count = this.below(6); count > 0; count -= 1) {
      const key = Array.from({ length: 1 + this.below(5) }, () => String.fromCharCode(0x20 + this.below(0x5f))).join('')
      if (!(key in object)) object[key] = this.value(depth - 1)
    }
    return object
  }

  value(depth: number): JsonValue {
    const kind = this.below(depth > 0 ? 7 : 5)
    if (kind === 0) return this.below(2) === 0
    if (kind === 1) return null
    if (kind === 2) return this.below(1000) - 500
    if (kind === 3) return (this.below(2) * 2 - 1) * (this.below(2 ** 21) * 2 ** 32 + this.below(2 ** 32) || 1)
    if (kind === 4) return this.string()
    if (kind === 5) return this.object(depth)
    return Array.from({ length: this.below(5) }, () => this.value(depth - 1))
  }

  string(): string {
    const ranges = [
      [0x20, 0x7e],
      [0x20, 0x7e],
      [0xa0, 0x24ff],
      [0xd000, 0xd7ff],
      [0xe000, 0xffff],
      [0x10000, 0x10ffff],
    ] as const
    return Array.from({ length: this.below(12) }, () => {
      const [from, to] = ranges[this.below(ranges.length)] ?? ranges[0]
      return this.below(9) === 0
        ? ('\t\n\r"\\/'[this.below(6)] ?? '')
        : String.fromCodePoint(from + this.below(to - from + 1))
    }).join('')
  }

  write(value: JsonValue): string {
    const space = (): string => [' ', '\n', '\t', '\r\n', '', '', '', ''][this.below(8)] ?? ''
    if (typeof value === 'string') {
      const parts = Array.from(value, (char) =>
        this.below(6) === 0 ? escaped(char) : JSON.stringify(char).slice(1, -1),
      )
      return `"${parts.join('')}"`
    }
    if (Array.isArray(value))
      return `[${space()}${value.map((item) => this.write(item)).join(`,${space()}`)}${space()}]`
    if (typeof value !== 'object' || value === null) return JSON.stringify(value)
    const entries = Object.entries(value).toSorted(() => this.below(3) - 1)
    const members = entries.map(([key, item]) => `${this.write(key)}${space()}:${space()}${this.write(item)}`)
    return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`
  }
}

function escaped(char: string): string {
  return Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
    '',
  )
}
