// `npm run bench`: all figures, one after the other, and the page made of them.
//
//   npm run bench [-- <figure>...] [--short] [--rounds N] [--pairs a,b] [--out FOLDER]
//
// --short: small inputs, nothing is fetched, and results and page go into a temporary folder (or FOLDER): that all of it still runs.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { CHAPTERS } from './page/chapters.ts'

/** Times mean nothing in the short form, so that figures may disturb each other; in the full one each runs alone. */
const SHORT_LANES = 3

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    pairs: { type: 'string' },
    out: { type: 'string' },
  },
})
const figures = CHAPTERS.map(({ figure }) => figure)
const unknown = positionals.filter((name) => !figures.includes(name))
if (unknown.length > 0) throw new Error(`no such figure: ${unknown.join(', ')}; there are ${figures.join(', ')}`)

const scratch = values.short && values.out === undefined ? mkdtempSync(join(tmpdir(), 'moult-bench-')) : undefined
const out = values.out ?? scratch
try {
  const startedAt = performance.now()
  const left = figures.filter((figure) => positionals.length === 0 || positionals.includes(figure))
  const runNext = async (): Promise<void> => {
    for (let figure = left.shift(); figure !== undefined; figure = left.shift()) await run(figure, argumentsOf(figure))
  }
  await Promise.all(Array.from({ length: values.short ? SHORT_LANES : 1 }, runNext))
  await run('write-page', out === undefined ? [] : ['--results', out, '--out', out])
  console.error(`done in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
} finally {
  if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
}

function argumentsOf(figure: string): string[] {
  return [
    ...(values.short ? ['--short'] : []),
    ...(values.rounds === undefined ? [] : ['--rounds', values.rounds]),
    ...(values.pairs === undefined || figure !== 'update-bytes' ? [] : ['--pairs', values.pairs]),
    ...(out === undefined ? [] : ['--out', out]),
  ]
}

async function run(script: string, args: readonly string[]): Promise<void> {
  const path = fileURLToPath(new URL(`./${script}.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], { stdio: 'inherit' })
  const [status] = (await once(child, 'close')) as [number]
  if (status !== 0) throw new Error(`${script} failed`)
}
