// Makes docs/benchmarks.md and its pictures from the results of the figures.
//
//   npx tsx bench/write-page.ts [--results bench/results] [--out docs]
//
// Fails when a figure lacks a column, or holds something that is neither a number nor a text.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { type Cell, type Column, type FigureResult, REPOSITORY, RESULTS, type Table } from './lab/figure.ts'
import { type Chapter, CHAPTERS } from './page/chapters.ts'

const INTRODUCTION = `# Benchmarks

Moult beside what one would use instead, side by side in one run on one machine, so that the ratios mean something elsewhere too.
Where a value stands before brackets it is the median of the rounds, and the least and the most are in the brackets. This page is
made by

    npm run bench                     # all figures and this page: two hours the first time, as a large pair takes bsdiff and brotli minutes
    npm run bench -- poll             # one of them, and the page
    npm run bench -- --short          # small inputs, about a minute: what CI runs; nothing here changes

from the numbers in \`bench/results\`. Each script in \`bench\` also runs on its own and prints one line of JSON. The pairs of programs
come from the npm registry into \`~/.cache/moult/bench\`, the peers from npm into \`bench/peers\` (with a lock file of their own; they
are no dependencies of Moult), and \`apt-get install bsdiff xdelta3 zstd nginx-light p7zip-full\` brings the rest. Of HDiffPatch there is no
package in Debian, and none on npm that installs: its column is there where \`hdiffz\` and \`hpatchz\`, built from its source, are in the PATH.
`

const { values: flags } = parseArgs({
  options: {
    results: { type: 'string', default: RESULTS },
    out: { type: 'string', default: join(REPOSITORY, 'docs') },
  },
})
mkdirSync(join(flags.out, 'benchmarks'), { recursive: true })
const chapters = CHAPTERS.map((chapter, index) => writeChapter(chapter, index + 1))
writeFileSync(join(flags.out, 'benchmarks.md'), `${INTRODUCTION}\n${chapters.join('\n')}`)

/** Draws the picture. @returns the text */
function writeChapter(chapter: Chapter, number: number): string {
  const { figure, title, prose } = chapter
  const result = JSON.parse(readFileSync(join(flags.results, `${figure}.json`), 'utf8')) as FigureResult
  assertColumns(chapter, result)
  writeFileSync(join(flags.out, 'benchmarks', `${figure}.svg`), chapter.draw(result))
  return [
    `## ${number}. ${title}\n`,
    `${prose}\n`,
    `![${title}](benchmarks/${figure}.svg)\n`,
    ...result.tables.map(tableText),
    ...(result.notes.length === 0 ? [] : [`${result.notes.map((note) => `- ${note}`).join('\n')}\n`]),
    `${provenance(result)}\n`,
  ].join('\n')
}

function assertColumns({ figure, columns }: Chapter, { tables }: FigureResult): void {
  for (const [index, keys] of columns.entries()) {
    const table = tables[index]
    if (table === undefined || table.rows.length === 0) throw new Error(`${figure}: table ${index + 1} is empty`)
    for (const key of keys) {
      if (!table.columns.some((column) => column.key === key)) throw new Error(`${figure}: no column ${key}`)
      for (const row of table.rows) if (!isCell(row[key])) throw new Error(`${figure}: ${key} has no value in a row`)
    }
  }
}

/** JSON has null for what was no number. */
function isCell(cell: unknown): boolean {
  if (typeof cell === 'string') return true
  const values = typeof cell === 'object' && cell !== null ? Object.values(cell) : [cell]
  return values.every((value) => typeof value === 'number')
}

function tableText({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    `${title}:\n`,
    line(columns.map(({ head }) => head)),
    line(columns.map((_, index) => (index === 0 ? '---' : '--:'))),
    ...rows.map((row) => line(columns.map((column) => cellText(row[column.key], column)))),
    '',
  ].join('\n')
}

function cellText(cell: Cell | undefined, { digits = 0 }: Column): string {
  const plain = (value: number): string =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  if (cell === undefined || typeof cell === 'string') return cell ?? ''
  if (typeof cell === 'number') return plain(cell)
  const { median, least, most, rounds } = cell
  return rounds === 1 || plain(least) === plain(most)
    ? plain(median)
    : `${plain(median)} (${plain(least)} to ${plain(most)})`
}

function provenance({ command, date, node, machine, commit }: FigureResult): string {
  const { cpu, processors, memoryGb, kernel } = machine
  const day = new Date(date).toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  })
  return `\`${command}\`, ${day}, Node ${node.slice(1)}, ${processors} processors of ${cpu}, ${memoryGb} GB, ${kernel}, Moult at ${commit}.`
}
