// Bytes and the strict profile (SPEC.md, "Bytes"). Where a lax reader would take the fault for something else, that is
// what was signed, so that nothing but the fault itself speaks against the file.

import { type ErrorCode, type JsonObject, type JsonValue, MANIFEST_MAX_BYTES } from '../../manifests/index.ts'
import type { Overrides } from '../fixtures/signed-manifest.ts'
import { accepts, refuses, replacing, type VectorCase, type VectorOptions } from './vector.ts'

const SYNTAX: ErrorCode = 'ERR_MANIFEST_SYNTAX'

function bad(name: string, comment: string, options: VectorOptions, twin?: string): VectorCase {
  return refuses(`syntax-${name}`, SYNTAX, comment, options, twin)
}

/** A release with the member `later`, and one piece of the text replaced afterwards. */
function later(value: JsonValue, from: string, to: string): VectorOptions {
  return { release: { later: value }, ...replacing(from, to) }
}

/** A release with a changelog, written in another way. */
function changelog(value: string, from: string, to: string): VectorOptions {
  return { release: { changelog: value }, ...replacing(from, to) }
}

function written(serialise: (document: JsonObject) => string): VectorOptions {
  return { serialise }
}

function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, reversed(item)]),
  )
}

function nested(levels: number): JsonValue {
  let value: JsonValue = 1
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { deeper: value }
  return value
}

function padded(size: number): VectorOptions {
  return written((document) => JSON.stringify(document).padEnd(size, ' '))
}

function escaped(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Inserts bytes after the first `at`. */
function inserting(at: string, ...added: readonly number[]): Pick<VectorOptions, 'spoil'> {
  return {
    spoil(bytes) {
      const index = Buffer.from(bytes).indexOf(at) + at.length
      return new Uint8Array([...bytes.subarray(0, index), ...added, ...bytes.subarray(index)])
    },
  }
}

const SPOKEN = 'e\u0301 \u00e9 \u2028 \u{1f600} \ufeff \ufffd \uffff \u{10ffff} \u00a0'
const ODD_KEYS: Overrides = { later: { b: 1, B: 2, '10': 3, '9': 4, _: 5, ' ': 6, '~': 7, '"': 8, '\\': 9, a: {} } }
/** Own members even where an object literal would set the prototype. */
const withMember = (name: string): Overrides => Object.fromEntries([[name, 1]])

export const SYNTAX_CASES: readonly VectorCase[] = [
  accepts('valid', 'The plain case that most others differ from in one point.'),
  accepts(
    'valid-indented',
    'White space is not signed.',
    written((d) => JSON.stringify(d, null, 2)),
  ),
  accepts(
    'valid-crlf',
    'Line ends are not signed.',
    written((d) => JSON.stringify(d, null, '\t').replaceAll('\n', '\r\n')),
  ),
  accepts(
    'valid-reordered',
    'The order of members is not signed.',
    written((d) => JSON.stringify(reversed(d))),
  ),
  accepts(
    'valid-escaped',
    'Escapes are resolved, in keys too.',
    written((d) => JSON.stringify(d).replaceAll('e', '\\u0065')),
  ),
  accepts(
    'valid-escaped-slash',
    'A slash may be escaped.',
    written((d) => JSON.stringify(d).replaceAll('/', '\\/')),
  ),
  accepts(
    'valid-surrounded',
    'White space around the value.',
    written((d) => `\r\n\t ${JSON.stringify(d)} \n\n`),
  ),
  accepts('valid-unicode', 'Characters beyond ASCII stand as they are, composed or not.', {
    release: { changelog: SPOKEN },
  }),
  accepts('valid-unicode-escaped', 'The same as valid-unicode, in ASCII.', {
    release: { changelog: SPOKEN },
    serialise: (document) => escaped(JSON.stringify(document)),
  }),
  accepts('valid-string-escapes', 'Tab, LF, CR, quote and backslash are escaped in the signed bytes.', {
    release: { changelog: '\t\n\r"\\/\\u0041' },
  }),
  accepts('valid-key-order', 'Keys are sorted by bytes, not as numbers or words.', { release: ODD_KEYS }),
  accepts('valid-integer-limits', 'The largest and the smallest integer.', {
    release: { later: [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0, -1] },
  }),
  accepts('valid-later-members', 'Unknown members are allowed, and signed.', {
    release: { later: { a: [null, true, false, {}, []] } },
    rollout: { rules: [], later: 1 },
  }),
  accepts('valid-depth-32', '32 objects and arrays inside each other.', { release: { later: nested(31) } }),
  accepts('valid-largest', 'Exactly 262144 bytes.', padded(MANIFEST_MAX_BYTES)),
  refuses('too-large', 'ERR_MANIFEST_TOO_LARGE', '262145 bytes.', padded(MANIFEST_MAX_BYTES + 1), 'valid-largest'),

  bad(
    'empty',
    'No bytes at all.',
    written(() => ''),
  ),
  bad(
    'blank',
    'White space only.',
    written(() => ' \n'),
  ),
  bad(
    'html',
    'What a captive portal answers.',
    written(() => '<!doctype html><title>Log in</title>'),
  ),
  bad(
    'cut-short',
    'The last byte is missing.',
    written((d) => JSON.stringify(d).slice(0, -1)),
  ),
  bad(
    'trailing-letter',
    'A letter after the value.',
    written((d) => `${JSON.stringify(d)}x`),
    'valid-surrounded',
  ),
  bad(
    'trailing-nul',
    'A NUL after the value.',
    written((d) => `${JSON.stringify(d)}\0`),
    'valid-surrounded',
  ),
  bad(
    'two-documents',
    'Another value after the value.',
    written((d) => `${JSON.stringify(d)}{}`),
    'valid-surrounded',
  ),
  bad(
    'comma-at-end-of-object',
    'A comma before a brace.',
    written((d) => `${JSON.stringify(d).slice(0, -1)},}`),
  ),
  bad('comma-at-end-of-array', 'A comma before a bracket.', later([1], '[1]', '[1,]')),
  bad('missing-colon', 'No colon.', later(1, '"later":1', '"later" 1')),
  bad(
    'comment',
    'JSON has no comments.',
    written((d) => `/**/${JSON.stringify(d)}`),
  ),
  bad('single-quotes', 'Strings have double quotes.', later('x', '"x"', `'x'`)),
  bad('bare-key', 'A key is a string.', later(1, '"later"', 'later')),
  bad(
    'form-feed',
    'A form feed is no white space.',
    written((d) => `\f${JSON.stringify(d)}`),
    'valid-surrounded',
  ),
  bad(
    'no-break-space',
    'U+00A0 is no white space.',
    written((d) => `\u00a0${JSON.stringify(d)}`),
    'valid-surrounded',
  ),
  bad('capital-true', 'Words are in lower case.', later(true, '"later":true', '"later":True')),
  bad('nan', 'NaN is no value.', later(1, '"later":1', '"later":NaN')),
  bad('infinity', 'Infinity is no value.', later(1, '"later":1', '"later":-Infinity')),

  bad('byte-order-mark', 'UTF-8 without a byte order mark.', {
    spoil: (bytes) => new Uint8Array([0xef, 0xbb, 0xbf, ...bytes]),
  }),
  bad('utf-16', 'UTF-16 is not UTF-8.', {
    spoil: (bytes) => new Uint8Array(Buffer.from(Buffer.from(bytes).toString(), 'utf16le')),
  }),
  bad('stray-byte', 'FF is not UTF-8. U+FFFD is signed in its place.', {
    ...changelog('\ufffd', '"\ufffd"', '""'),
    ...inserting('"changelog":"', 0xff),
  }),
  bad('overlong', 'C1 81 for A is not UTF-8.', {
    ...changelog('A', '"A"', '""'),
    ...inserting('"changelog":"', 0xc1, 0x81),
  }),
  bad('utf-8-surrogate', 'ED A0 80 is not UTF-8.', {
    ...changelog('\ufffd\ufffd\ufffd', '"\ufffd\ufffd\ufffd"', '""'),
    ...inserting('"changelog":"', 0xed, 0xa0, 0x80),
  }),
  bad('utf-8-beyond', 'F4 90 80 80 is beyond U+10FFFF.', {
    ...changelog('\ufffd', '"\ufffd"', '""'),
    ...inserting('"changelog":"', 0xf4, 0x90, 0x80, 0x80),
  }),

  bad(
    'lone-high-surrogate',
    'U+FFFD is signed in its place.',
    changelog('\ufffd', '"\ufffd"', '"\\ud83d"'),
    'valid-unicode-escaped',
  ),
  bad(
    'lone-low-surrogate',
    'U+FFFD is signed in its place.',
    changelog('\ufffd', '"\ufffd"', '"\\ude00"'),
    'valid-unicode-escaped',
  ),
  bad(
    'swapped-surrogates',
    'Low before high.',
    changelog('\ufffd\ufffd', '"\ufffd\ufffd"', '"\\ude00\\ud83d"'),
    'valid-unicode-escaped',
  ),
  bad('broken-escape', 'Four hexadecimal digits.', changelog('x', '"x"', '"\\u00e"'), 'valid-unicode-escaped'),
  bad('unknown-escape', 'There is no \\x.', changelog('A', '"A"', '"\\x41"'), 'valid-string-escapes'),
  bad('raw-tab', 'A tab must be escaped.', changelog('\t', '"\\t"', '"\t"'), 'valid-string-escapes'),
  bad('raw-line-feed', 'A line feed must be escaped.', changelog('\n', '"\\n"', '"\n"'), 'valid-string-escapes'),
  bad('raw-nul', 'No NUL.', changelog('\0', '"\\u0000"', '"\0"'), 'valid-string-escapes'),
  bad('escaped-nul', 'No NUL, escaped or not.', { release: { changelog: 'a\0b' } }, 'valid-string-escapes'),
  bad('escaped-escape', 'No ESC: terminals obey it.', { release: { changelog: '\u001b[2J' } }, 'valid-string-escapes'),
  bad('backspace', 'No backspace.', { release: { changelog: '\b' } }, 'valid-string-escapes'),
  bad('delete', 'No U+007F.', { release: { changelog: '\u007f' } }, 'valid-string-escapes'),
  bad('c1', 'No U+009B: some terminals obey it.', { release: { changelog: '\u009b2J' } }, 'valid-string-escapes'),

  bad(
    'version-twice',
    'The last one is the signed one.',
    written((d) => `{"version":"9.9.9",${JSON.stringify(d).slice(1)}`),
  ),
  bad(
    'version-twice-first-signed',
    'The first one is the signed one.',
    written((d) => `${JSON.stringify(d).slice(0, -1)},"version":"9.9.9"}`),
  ),
  bad(
    'same-version-twice',
    'Twice the same.',
    written((d) => `{"version":"1.4.2",${JSON.stringify(d).slice(1)}`),
  ),
  bad(
    'version-twice-escaped',
    'The second one is spelled with an escape.',
    written((d) => `{"\\u0076ersion":"9.9.9",${JSON.stringify(d).slice(1)}`),
  ),
  bad(
    'signatures-twice',
    'Unsigned members count too.',
    written((d) => `{"signatures":[],${JSON.stringify(d).slice(1)}`),
  ),
  bad('inner-key-twice', 'In an inner object.', later({ a: 1 }, '{"a":1}', '{"a":2,"a":1}')),
  bad('empty-key', 'A key has a name.', { release: { '': 1 } }, 'valid-later-members'),
  bad(
    'key-beyond-ascii',
    'Keys are ASCII: composed and decomposed letters look the same.',
    { release: { 'caf\u00e9': 1 } },
    'valid-later-members',
  ),
  bad('key-with-delete', 'Keys are printable.', { release: { 'a\u007f': 1 } }, 'valid-later-members'),
  bad('key-with-tab', 'Keys are printable.', { release: { 'a\tb': 1 } }, 'valid-later-members'),
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__'].map((name) =>
    bad(
      `key-${name}`,
      'A key that every JavaScript object inherits.',
      { release: withMember(name) },
      'valid-later-members',
    ),
  ),

  bad('fraction', 'No fraction.', later(1, '"later":1', '"later":1.0')),
  bad('exponent', 'No exponent.', later(1000, '"later":1000', '"later":1e3')),
  bad('minus-zero', 'No minus zero.', later(0, '"later":0', '"later":-0')),
  bad('leading-zero', 'No leading zero.', later(7, '"later":7', '"later":07')),
  bad('plus', 'No plus sign.', later(7, '"later":7', '"later":+7')),
  bad('hexadecimal', 'Decimal digits.', later(16, '"later":16', '"later":0x10')),
  bad(
    'integer-too-large',
    '2^53: readers that use floating point read it from 2^53 + 1 too.',
    { release: { later: 2 ** 53 } },
    'valid-integer-limits',
  ),
  bad(
    'integer-rounded',
    '2^53 + 1, with 2^53 signed.',
    later(2 ** 53, '9007199254740992', '9007199254740993'),
    'valid-integer-limits',
  ),
  bad('integer-too-small', '-2^53.', { release: { later: -(2 ** 53) } }, 'valid-integer-limits'),
  bad(
    'integer-of-400-digits',
    'Not a number that fits anywhere.',
    later(1, '"later":1', `"later":${'9'.repeat(400)}`),
    'valid-integer-limits',
  ),

  bad('depth-33', '33 objects and arrays inside each other.', { release: { later: nested(32) } }, 'valid-depth-32'),
  bad(
    'depth-100000',
    'Must not exhaust a stack.',
    written(() => '['.repeat(100_000)),
    'valid-depth-32',
  ),
]
