// That the figures of docs/benchmarks.md can still be made: small inputs, and whatever is installed. What comes out is not
// looked at, but that it is there, and that the page can be made of it.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { type FigureResult, REPOSITORY } from '../../bench/lab/figure.ts'
import { hasPeers } from '../../bench/lab/peers.ts'
import { findProgram, NOT_INSTALLED } from '../../bench/lab/programs.ts'
import { CHAPTERS } from '../../bench/page/chapters.ts'
import { Scene } from '../helpers/moult.ts'

const TIMEOUT_MS = 300_000
const NEEDED = ['bsdiff', 'xdelta3', 'zstd', 'nginx', '7za']
/** No package brings it: its column may be empty everywhere. */
const OPTIONAL_COLUMN = 'hdiffpatch'

const missing = NEEDED.filter((name) => findProgram(name) === undefined)
if (!hasPeers({ isShort: true })) missing.push('bench/peers (npm ci --prefix bench/peers --ignore-scripts)')

describe('the short form of the benchmarks', { timeout: TIMEOUT_MS }, () => {
  let scene: Scene
  let out = ''
  before(async () => {
    scene = new Scene('bench')
    out = scene.path('out')
    const { code, stderr } = await scene.run(
      process.execPath,
      ['--import', 'tsx', join(REPOSITORY, 'bench', 'run.ts'), '--short', '--out', out],
      { cwd: REPOSITORY, env: { TMPDIR: scene.folder('tmp') } },
    )
    assert.equal(code, 0, stderr)
  })
  after(() => scene.close())

  const resultOf = (figure: string): FigureResult =>
    JSON.parse(readFileSync(join(out, `${figure}.json`), 'utf8')) as FigureResult

  for (const { figure } of CHAPTERS) {
    test(`${figure} says on what and when it was made, and by which command`, () => {
      const { date, node, machine, command, isShort } = resultOf(figure)
      assert.ok(Date.now() - Date.parse(date) < TIMEOUT_MS)
      assert.equal(node, process.version)
      assert.ok(machine.processors > 0 && machine.cpu !== '')
      assert.equal(command, `npx tsx bench/${figure}.ts --short`)
      assert.equal(isShort, true)
    })

    test(`${figure} has a value or a reason in every column`, () => {
      for (const { columns, rows, title } of resultOf(figure).tables) {
        assert.ok(rows.length > 0, title)
        for (const row of rows) {
          for (const { key } of columns) assert.ok(row[key] !== undefined && row[key] !== null, `${title}: ${key}`)
        }
      }
    })
  }

  test('leaves no column empty where everything is installed', (context) => {
    if (missing.length > 0) {
      assert.equal(process.env['CI'], undefined, `not installed: ${missing.join(', ')}`)
      return context.skip(`not installed: ${missing.join(', ')}`)
    }
    for (const { figure } of CHAPTERS) {
      for (const { rows, title } of resultOf(figure).tables) {
        for (const row of rows) {
          const empty = Object.keys(row).filter((key) => row[key] === NOT_INSTALLED && key !== OPTIONAL_COLUMN)
          assert.deepEqual(empty, [], `${figure}, ${title}`)
        }
      }
    }
  })

  test('makes the page, with a table and a picture for each figure', () => {
    const page = readFileSync(join(out, 'benchmarks.md'), 'utf8')
    for (const { figure, title } of CHAPTERS) {
      assert.ok(page.includes(`. ${title}\n`), title)
      assert.ok(page.includes(`](benchmarks/${figure}.svg)`), figure)
      assert.match(readFileSync(join(out, 'benchmarks', `${figure}.svg`), 'utf8'), /^<svg [^]*<\/svg>\n$/)
    }
  })

  test('leaves nothing in the temporary folder', () => {
    const left = readdirSync(scene.path('tmp')).filter((name) => name.startsWith('moult'))
    assert.deepEqual(left, [])
  })
})
