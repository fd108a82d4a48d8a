// Holds docs/catalogue.md true: each case names tests that exist, and vectors that expect the codes it gives.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import { ERROR_CODES } from '../manifests/index.ts'

const ROOT = new URL('../', import.meta.url)
/** Cases 89 to 92 and 104 are of rollouts. */
const CASES = [...Array.from({ length: 105 }, (_, index) => String(index + 1)), '33b']
/** What a case may end with that is no error code: a valid manifest, a decision of an agent, or nothing to code. */
const OUTCOMES = [
  'accepted',
  'none',
  'refuse downgrade',
  'refuse below-floor',
  'refuse no-platform',
  'refuse quarantined',
]

interface Row {
  readonly id: string
  readonly codes: readonly string[]
  readonly vectors: readonly string[]
  readonly tests: readonly { readonly file: string; readonly name: string }[]
}

interface VectorFacts {
  readonly expect: string
  readonly twin?: string
}

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, group = '']) => group)
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8')
const readFacts = (name: string): VectorFacts => JSON.parse(read(`test/vectors/${name}.json`)) as VectorFacts

function readRow(line: string): Row {
  const [, id = '', , codes = '', tests = '', ...rest] = line.split(' | ').flatMap((cell) => cell.split(/^\| | \|$/))
  assert.deepEqual(rest, [''], `not four cells: ${line}`)
  const row = { id, codes: all(codes, /`([^`]+)`/g), vectors: [] as string[], tests: [] as Row['tests'][number][] }
  for (const part of tests.split('<br>')) {
    // Not only *.test.ts: what every supervisor has to do is one file that the test of each supervisor runs.
    const [, file, names] = /^`(test\/[\w./-]+\.ts)`: (".+")$/.exec(part) ?? []
    if (file !== undefined) row.tests.push(...all(names ?? '', /"([^"]+)"/g).map((name) => ({ file, name })))
    else if (part.startsWith('vectors ')) row.vectors.push(...all(part, /`([^`]+)`/g))
    else assert.fail(`neither a test nor vectors: ${part}`)
  }
  return row
}

/** A name stands in a source as a whole string: of a test, or of a row that a test is made of. */
function isNamed(source: string, name: string): boolean {
  return [`'${name}'`, `"${name}"`, `\`${name}\``, `'${name.replaceAll("'", "\\'")}'`].some((text) =>
    source.includes(text),
  )
}

const rows = read('docs/catalogue.md')
  .split('\n')
  .filter((line) => /^\| \d/.test(line))
  .map(readRow)

describe('docs/catalogue.md', () => {
  test('has each case once, with a code and a test', () => {
    assert.deepEqual(rows.map(({ id }) => id).sort(), CASES.sort())
    for (const { id, codes, tests, vectors } of rows) {
      assert.ok(codes.length > 0, `case ${id} has no code`)
      assert.ok(tests.length + vectors.length > 0, `case ${id} has no test`)
      for (const code of codes) assert.ok(code in ERROR_CODES || OUTCOMES.includes(code), `case ${id}: ${code}`)
    }
  })

  test('names tests that exist', () => {
    for (const { id, tests } of rows) {
      for (const { file, name } of tests) {
        assert.ok(existsSync(new URL(file, ROOT)), `case ${id}: no such file: ${file}`)
        assert.ok(isNamed(read(file), name), `case ${id}: no test "${name}" in ${file}`)
      }
    }
  })

  test('names vectors that expect one of the codes, each refused one with a twin that is accepted', () => {
    for (const { id, codes, vectors } of rows) {
      for (const name of vectors) {
        assert.ok(existsSync(new URL(`test/vectors/${name}.json`, ROOT)), `case ${id}: no such vector: ${name}`)
        const { expect, twin } = readFacts(name)
        const code = expect === 'ok' ? 'accepted' : expect
        assert.ok(codes.includes(code), `case ${id}: ${name} expects ${expect}`)
        if (expect === 'ok') continue
        assert.ok(twin !== undefined, `case ${id}: ${name} has no twin`)
        assert.equal(readFacts(twin).expect, 'ok', `case ${id}: the twin of ${name}`)
      }
    }
  })

  test('gives no error code that neither a vector nor a named test asserts', () => {
    for (const { id, codes, tests, vectors } of rows) {
      const sources = [...new Set(tests.map(({ file }) => file))].map(read)
      const expected = new Set(vectors.map((name) => readFacts(name).expect))
      for (const code of codes.filter((text) => text in ERROR_CODES)) {
        assert.ok(expected.has(code) || sources.some((source) => source.includes(code)), `case ${id}: ${code}`)
      }
    }
  })
})
