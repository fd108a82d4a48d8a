// What every figure has in common: its options, a folder that goes at the end, one line of JSON, and its file of results.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import type { Spread } from './spread.ts'

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
export const RESULTS = join(REPOSITORY, 'bench', 'results')

/** A text says why there is no number. */
export type Cell = number | string | Spread

export interface Column {
  readonly key: string
  readonly head: string
  /** Behind the point; default 0. */
  readonly digits?: number
}

export interface Table {
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly Readonly<Record<string, Cell>>[]
}

export interface Machine {
  readonly cpu: string
  readonly processors: number
  readonly memoryGb: number
  readonly kernel: string
}

export interface FigureResult {
  readonly figure: string
  /** RFC 3339 date. */
  readonly date: string
  readonly node: string
  /** Of Moult; `dirty` when the tree had changes. */
  readonly commit: string
  readonly machine: Machine
  readonly command: string
  readonly isShort: boolean
  readonly tables: readonly Table[]
  /** What one has to know of these numbers: versions of the others, what was left out and why. */
  readonly notes: readonly string[]
}

export interface Bench {
  /** Small inputs, nothing fetched, nothing committed: that the figure can be made, not what it is. */
  readonly isShort: boolean
  readonly rounds: number
  /** Temporary; goes at the end. */
  readonly folder: string
  /** `--pairs a,b`; undefined means all. */
  readonly pairs: readonly string[] | undefined
  /** Done at the end, the last one first. */
  defer(undo: () => unknown): void
}

/**
 * The main part of a figure's script.
 *
 *   --short         small inputs; no result is written unless --out says where
 *   --rounds N      repetitions of what is timed
 *   --pairs a,b     only these pairs of binaries
 *   --out FOLDER    where <figure>.json goes; default bench/results
 */
export async function runFigure(
  figure: string,
  measure: (bench: Bench) => Promise<Pick<FigureResult, 'tables' | 'notes'>>,
): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      pairs: { type: 'string' },
      out: { type: 'string' },
    },
  })
  const isShort = values.short
  const folder = mkdtempSync(join(tmpdir(), 'moult-bench-'))
  const undoes: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })]
  const bench: Bench = {
    isShort,
    rounds: Number(values.rounds ?? (isShort ? 1 : 5)),
    folder,
    pairs: values.pairs?.split(','),
    defer: (undo) => void undoes.push(undo),
  }
  const undoAll = async (): Promise<void> => {
    for (const undo of undoes.splice(0).toReversed()) await undo()
  }
  // Servers and agents lead groups of their own, which a terminal's Ctrl-C does not reach.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void undoAll().finally(() => process.exit(1)))
  }
  try {
    const { tables, notes } = await measure(bench)
    const result: FigureResult = { ...surroundings(figure, commandOf(figure, values), isShort), tables, notes }
    const out = values.out ?? (isShort ? undefined : RESULTS)
    if (out !== undefined) {
      mkdirSync(out, { recursive: true })
      writeFileSync(join(out, `${figure}.json`), `${JSON.stringify(result, null, 2)}\n`)
    }
    console.log(JSON.stringify(result))
  } finally {
    await undoAll()
  }
}

/** Without where the result goes. */
function commandOf(
  figure: string,
  { short, rounds, pairs }: { short: boolean; rounds?: string; pairs?: string },
): string {
  const options = [...(short ? ['--short'] : []), ...(rounds === undefined ? [] : ['--rounds', rounds])]
  return ['npx tsx', `bench/${figure}.ts`, ...options, ...(pairs === undefined ? [] : ['--pairs', pairs])].join(' ')
}

function surroundings(figure: string, command: string, isShort: boolean): Omit<FigureResult, 'tables' | 'notes'> {
  return {
    figure,
    date: new Date().toISOString(),
    node: process.version,
    commit: describeCommit(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      processors: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      kernel: `${process.platform} ${release()}`,
    },
    command,
    isShort,
  }
}

function describeCommit(): string {
  try {
    const args = ['-C', REPOSITORY, 'describe', '--always', '--dirty', '--exclude=*']
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return 'unknown' // Not a clone.
  }
}
