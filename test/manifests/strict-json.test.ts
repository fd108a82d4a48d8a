import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Random } from '../fuzz/random.ts'
import { JSON_MAX_DEPTH, type JsonValue, MANIFEST_MAX_BYTES, parseStrictJson } from '../../manifests/index.ts'

const parse = (text: string): JsonValue => parseStrictJson(new TextEncoder().encode(text))

function refuses(input: string | Uint8Array): void {
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input
  assert.throws(
    () => parseStrictJson(bytes),
    { name: 'MoultError', code: 'ERR_MANIFEST_SYNTAX' },
    JSON.stringify(input),
  )
}

/** Bytes of ASCII text with `\xNN` for others. */
const raw = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

describe('strict JSON', () => {
  test('reads every kind of value', () => {
    const text = ' {"a" : [1, -2 , 0, true,false,null, "x"], "b":{"c":{}} ,"d":[]}\r\n\t'
    assert.deepEqual(parse(text), { a: [1, -2, 0, true, false, null, 'x'], b: { c: {} }, d: [] })
    for (const scalar of ['0', '-1', 'true', 'false', 'null', '""']) assert.equal(parse(scalar), JSON.parse(scalar))
  })

  test('reads every escape as JSON.parse does', () => {
    const text = '"\\" \\\\ \\/ \\n \\r \\t \\u0041 \\u00e9 \\u20ac \\uD83D\\uDE00 \\ud83d\\ude00"'
    assert.equal(parse(text), JSON.parse(text))
  })

  test('refuses a repeated key, also one that is written with an escape', () => {
    assert.deepEqual(parse('{"version":"1","version2":"2"}'), { version: '1', version2: '2' })
    refuses('{"version":"1","version":"1"}')
    refuses('{"version":"1","\\u0076ersion":"2"}')
    refuses('{"a":{"signatures":[],"signatures":[]}}')
  })

  test('refuses keys that every object inherits and leaves Object.prototype as it was', () => {
    const before = Object.getOwnPropertyNames(Object.prototype)
    for (const key of Object.getOwnPropertyNames(Object.prototype)) {
      refuses(`{"${key}":{"polluted":1}}`)
      refuses(`{"binaries":{"${key}":1}}`)
    }
    refuses('{"__pro\\u0074o__":{"polluted":1}}')
    assert.equal('polluted' in {}, false)
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before)
    assert.deepEqual(parse('{"__proto":1,"constructors":2}'), { __proto: 1, constructors: 2 })
  })

  test('refuses keys that are empty or not printable ASCII, so that no two of them look alike', () => {
    for (const key of ['', 'é', 'e\u0301', '\u00e9', 'a\tb', 'a\u2028b', 'a\u007f', '\\u0000', '\\u00e9'])
      refuses(`{"${key}":1}`)
    assert.deepEqual(parse('{"a b~!\\u0041":1}'), { 'a b~!A': 1 })
  })

  test('takes safe integers in their one spelling and no other number', () => {
    for (const good of ['0', '1', '-1', '9007199254740991', '-9007199254740991'])
      assert.equal(parse(good), Number(good))
    const bad = [
      '9007199254740992',
      '-9007199254740992',
      '9007199254740993',
      '1e3',
      '1E3',
      '1.0',
      '1.',
      '.5',
      '-0',
      '-',
    ]
    for (const text of [...bad, '+1', '01', '-01', '0x10', 'NaN', 'Infinity', '1e', '1_000', `1${'0'.repeat(400)}`])
      refuses(text)
  })

  test('refuses invalid UTF-8 instead of replacing it', () => {
    assert.equal(parseStrictJson(raw('"\xc3\xa9"')), 'é')
    const overlong = '"\xc0\xaf"'
    const surrogate = '"\xed\xa0\x80"'
    const beyondUnicode = '"\xf4\x90\x80\x80"'
    for (const text of ['"\xff"', '"\xc3"', '"\x80"', overlong, surrogate, beyondUnicode, '{"a":1}\xff'])
      refuses(raw(text))
  })

  test('refuses a byte order mark', () => {
    refuses(raw('\xef\xbb\xbf{}'))
    refuses(raw('\xff\xfe{\0}\0'))
    refuses('\u00a0{}')
  })

  test('refuses lone surrogates that are written as escapes', () => {
    for (const text of ['"\\ud800"', '"\\udc00"', '"\\ud83dx\\ude00"', '"\\ude00\\ud83d"', '"\\ud83d\\ud83d\\ude00"'])
      refuses(text)
  })

  test('refuses control characters but tab, LF and CR, raw or escaped', () => {
    assert.equal(parse('"\\t\\n\\r"'), '\t\n\r')
    for (let code = 0; code < 0xa0; code += 1) {
      if (code >= 0x20 && code < 0x7f) continue
      refuses(`"${String.fromCharCode(code)}"`)
      if (!'\t\n\r'.includes(String.fromCharCode(code))) refuses(`"\\u${code.toString(16).padStart(4, '0')}"`)
    }
    refuses('"\\b"')
    refuses('"\\f"')
  })

  test('keeps unusual text exactly: line separators, both normal forms, astral planes, non-characters', () => {
    for (const text of [
      '\u2028\u2029',
      '\u00e9 e\u0301',
      '\u{1f600}\u{10ffff}',
      '\ufffd\ufeff\uffff',
      '</script>\u00a0',
    ]) {
      assert.equal(parse(JSON.stringify(text)), text)
    }
  })

  test('refuses trailing characters and unfinished documents', () => {
    const whole = '{"a":[1,"x",{"b":null}]}'
    assert.doesNotThrow(() => parse(`${whole}\n`))
    for (const tail of ['x', '{}', ',', '\0', '//', '\u00a0', '\v']) refuses(whole + tail)
    for (let length = 0; length < whole.length; length += 1) refuses(whole.slice(0, length))
  })

  test('refuses what only lenient parsers read', () => {
    const lenient = [
      '{a:1}',
      "{'a':1}",
      '{"a":1,}',
      '[1,]',
      '[,1]',
      '[1 2]',
      '{"a" 1}',
      '{"a":1 "b":2}',
      '/**/{}',
      '{,}',
      'True',
      '"\\x41"',
    ]
    for (const text of [...lenient, '"\\u12"', '"\\u 041"', '"a\nb"', 'undefined', 'nul', '{"a":}', '{1:1}', ''])
      refuses(text)
  })

  test('takes as many levels as the limit and not one more, of arrays or objects', () => {
    const arrays = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    const objects = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
    for (const nested of [arrays, objects]) {
      assert.doesNotThrow(() => parse(nested(JSON_MAX_DEPTH)))
      refuses(nested(JSON_MAX_DEPTH + 1))
    }
  })

  test('refuses a depth of 100,000 and hostile shapes of the largest size without delay', () => {
    const started = process.hrtime.bigint()
    refuses('['.repeat(100_000))
    refuses('{"a":'.repeat(100_000))
    const size = MANIFEST_MAX_BYTES
    refuses('1'.repeat(size))
    refuses(`"${'a'.repeat(size)}`)
    refuses(`"${'\\'.repeat(size - 1)}`)
    refuses(`[${'1,'.repeat(size / 2)}`)
    refuses(' '.repeat(size))
    assert.doesNotThrow(() => parse(`{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":0`).join(',')}}`))
    assert.ok(process.hrtime.bigint() - started < 3_000_000_000n)
  })

  test('says where the fault is', () => {
    assert.throws(() => parse('{"a":01}'), {
      message: 'not strict JSON: a number that is not a plain integer at offset 6',
      details: { offset: 6 },
    })
    assert.throws(() => parse('{"a":1,"a":2}'), { details: { offset: 7 } })
  })

  test('agrees with JSON.parse on whatever it accepts', () => {
    const alphabet = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '0',
      '1',
      '-',
      '.',
      'e',
      'a',
      '\\',
      'u',
      ' ',
      'null',
      'true',
      '"a"',
      '"b":',
    ]
    const seed = Date.now() >>> 0
    const random = new Random(seed)
    const next = (): number => random.below(2 ** 32)
    let accepted = 0
    for (let round = 0; round < 20_000; round += 1) {
      const text = Array.from({ length: 1 + (next() % 8) }, () => alphabet[next() % alphabet.length]).join('')
      let value: JsonValue
      try {
        value = parse(text)
      } catch {
        continue
      }
      accepted += 1
      assert.deepEqual(value, JSON.parse(text), `seed ${seed}: ${text}`)
    }
    assert.ok(accepted > 100, `seed ${seed}`)
  })
})
