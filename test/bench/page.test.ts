// docs/benchmarks.md is made of bench/results and of nothing else; what is no result makes no page.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { type FigureResult, REPOSITORY, RESULTS } from '../../bench/lab/figure.ts'
import { CHAPTERS } from '../../bench/page/chapters.ts'

describe('the page of figures', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'moult page '))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  function writePage(results: string): { status: number | null; stderr: string } {
    const script = join(REPOSITORY, 'bench', 'write-page.ts')
    const args = ['--import', 'tsx', script, '--results', results, '--out', join(folder, 'docs')]
    return spawnSync(process.execPath, args, { cwd: REPOSITORY, encoding: 'utf8' })
  }

  test('is what the results say, and so are its pictures', () => {
    const { status, stderr } = writePage(RESULTS)
    assert.equal(status, 0, stderr)
    for (const file of ['benchmarks.md', ...CHAPTERS.map(({ figure }) => `benchmarks/${figure}.svg`)]) {
      const made = readFileSync(join(folder, 'docs', file), 'utf8')
      assert.equal(
        readFileSync(join(REPOSITORY, 'docs', file), 'utf8'),
        made,
        `docs/${file}: run \`npx tsx bench/write-page.ts\``,
      )
    }
  })

  test('is made of whole runs, not of short ones', () => {
    for (const { figure } of CHAPTERS) assert.equal(resultOf(RESULTS, figure).isShort, false, figure)
  })

  const FAULTS: Readonly<Record<string, (result: FigureResult) => unknown>> = {
    'no column cpu': (result) => ({
      ...result,
      tables: result.tables.map((table) => ({ ...table, columns: table.columns.filter(({ key }) => key !== 'cpu') })),
    }),
    'cpu has no value in a row': (result) => ({
      ...result,
      tables: result.tables.map((table) => ({ ...table, rows: table.rows.map((row) => ({ ...row, cpu: null })) })),
    }),
    'table 1 is empty': (result) => ({ ...result, tables: result.tables.map((table) => ({ ...table, rows: [] })) }),
  }
  for (const [complaint, spoil] of Object.entries(FAULTS)) {
    test(`is not made where ${complaint}`, () => {
      const results = join(folder, 'results')
      mkdirSync(results, { recursive: true })
      cpSync(RESULTS, results, { recursive: true })
      writeFileSync(join(results, 'poll.json'), JSON.stringify(spoil(resultOf(RESULTS, 'poll'))))
      const { status, stderr } = writePage(results)
      assert.equal(status, 1)
      assert.ok(stderr.includes(`poll: ${complaint}`), stderr)
    })
  }
})

function resultOf(results: string, figure: string): FigureResult {
  return JSON.parse(readFileSync(join(results, `${figure}.json`), 'utf8')) as FigureResult
}
