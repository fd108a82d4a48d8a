import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CSV_TABLES, csvOf } from '../../../fleet/report/csv.ts'
import { agentOf, idOf, NOW_MS, sampleFigures } from '../sample-figures.ts'

/** A reader of RFC 4180 of its own. */
function readCsv(text: string): string[][] {
  const cells = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)]
  assert.equal(cells.map(([all]) => all).join(''), text, 'something between the cells')
  const rows: string[][] = [[]]
  for (const [, quoted, plain = '', end] of cells) {
    rows.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === '\r\n') rows.push([])
  }
  assert.deepEqual(rows.pop(), [])
  return rows
}

test('every row has as many cells as its head', () => {
  for (const table of CSV_TABLES) {
    const rows = readCsv(csvOf(sampleFigures(), table))
    assert.ok(rows.length > 2, table)
    for (const row of rows) assert.equal(row.length, rows[0]?.length, table)
  }
})

test('no cell is a formula, and each can be read back', () => {
  const texts = ['=1+1', '+1', '-1', '@SUM(A1)', ' =1+1', '＝1', 'a,b', 'say "hi"', 'plain', '1.2.0', '\t=1', 'a\r\nb']
  const stuck = texts.map((text) => ({ ...agentOf(1, text, NOW_MS), id: 'x' }))
  const versions = readCsv(csvOf(sampleFigures({ stuck, silent: [] }), 'agents'))
    .slice(1)
    .map((row) => row[2])
  const expected = [
    "'=1+1",
    "'+1",
    "'-1",
    "'@SUM(A1)",
    "' =1+1",
    "'＝1",
    'a,b',
    'say "hi"',
    'plain',
    '1.2.0',
    '\ufffd=1',
    'a\ufffd\ufffdb',
  ]
  assert.deepEqual(versions, expected)
})

test('times are RFC 3339, and names stand in place of pseudonyms', () => {
  const [, first] = readCsv(csvOf(sampleFigures(), 'events', new Map([[idOf(90), 'Basel 7']])))
  assert.deepEqual(first, ['2026-11-21T12:00:00Z', 'Basel 7', 'updated', '1.4.2', '340'])
})
