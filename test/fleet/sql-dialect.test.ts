// The SQL is run on DuckDB by another test. That it runs on Trino and Athena, too, is held by what it is made of: only
// functions that all of them have, with the same meaning.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const SQL = new URL('../../fleet/sql/', import.meta.url)
const FUNCTIONS = new Set([
  ...['cast', 'try_cast', 'coalesce', 'nullif', 'greatest', 'row_number', 'count', 'min', 'max', 'sum'],
  ...['min_by', 'max_by', 'split_part', 'replace', 'translate', 'length', 'date_diff', 'date_trunc'],
])
/** Words before a bracket that are no functions. */
const WORDS = new Set(['as', 'and', 'or', 'over', 'filter', 'in', 'select', 'from', 'where'])
/** What one of them lacks, or understands otherwise. */
const NOT_PORTABLE = /\b(?:GROUP BY ALL|EXCLUDE|QUALIFY|QUANTILE|ILIKE|LATERAL|UNNEST|STRUCT|DATE_PART|EPOCH|::)\b|::/i

const files = readdirSync(SQL).filter((name) => name.endsWith('.sql') && !name.includes('.athena.'))

test('there is a file for each question', () => {
  assert.deepEqual(files, [
    '01-records-from-cloudfront.sql',
    '02-agents.sql',
    '03-visits.sql',
    '04-outcomes.sql',
    '05-offers.sql',
    'adoption-by-hour.sql',
    'agents-by-version.sql',
    'errors.sql',
    'polls-by-hour.sql',
    'releases.sql',
    'silent-agents.sql',
    'stuck-agents.sql',
  ])
})

for (const name of files) {
  test(`${name} uses what every engine has`, () => {
    const text = readFileSync(new URL(name, SQL), 'utf8')
    const code = text.replace(/--.*$/gm, '').replace(/'[^']*'/g, "''")
    const called = [...code.matchAll(/\b([a-z_]+)\s*\(/gi)].map(([, word = '']) => word.toLowerCase())
    assert.deepEqual(
      called.filter((word) => !FUNCTIONS.has(word) && !WORDS.has(word)),
      [],
    )
    assert.doesNotMatch(code, NOT_PORTABLE)
    // These two are words of SQL itself in Trino.
    assert.doesNotMatch(code, /(?<!["\w.])(?:time|date)(?!["\w(])/)
    assert.doesNotMatch(code, /;/)
  })
}

test('the columns of the Parquet table are those of the view over raw lines', () => {
  const columns = (name: string, pattern: RegExp): string[] => {
    return [...readFileSync(new URL(name, SQL), 'utf8').matchAll(pattern)].map(([, column = '']) => column).sort()
  }
  const table = columns('parquet-table.athena.sql', /^ {2}`?(\w+)`? (?:string|bigint|timestamp),?$/gm)
  const view =
    readFileSync(new URL('01-records-from-cloudfront.sql', SQL), 'utf8')
      .split(/^SELECT\n/m)
      .at(-1) ?? ''
  for (const column of table) assert.match(view, new RegExp(`\\b${column}\\b`), column)
  assert.equal(table.length, 15)
})
