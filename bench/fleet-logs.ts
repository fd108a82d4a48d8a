// What it costs to read the access logs of a fleet: ours beside gunzip alone (the floor), DuckDB, zcat with mawk, and
// GoAccess, one after the other over the same files. Processor time and memory of whole processes, as ratios to the
// floor.
//
//   npm run -s build && npx tsx bench/fleet-logs.ts [--lines 1000000] [--agents 100000] [--dir DIR] [--repeat 1] [--json]
//
// The logs are made anew unless DIR holds some. What is not installed is left out; GoAccess too beyond a million lines:
// it takes minutes. Linux only.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { newestStateQuery } from './fleet-logs/duckdb-query.ts'
import { measureCommand } from './lab/process-cost.ts'
import { findProgram } from './lab/programs.ts'

const { values: flags } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    agents: { type: 'string', default: '100000' },
    files: { type: 'string', default: '40' },
    dir: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})

const GOACCESS_LINES_MAX = 1_000_000
const MAWK = `zcat "$DIR"/*.gz | mawk -F'\\t' '$8 ~ /\\/version\\.json$/ && match($11, /id=[0-9a-f]+/) {
  id = substr($11, RSTART + 3, 16); at = $1 $2
  if (at >= last[id]) { last[id] = at; split($11, part, /[\\/%]/); version[id] = part[2] } }
  END { for (id in version) n[version[id]]++; for (one in n) print one, n[one] }'`

const DIST = fileURLToPath(new URL('../dist/fleet/index.js', import.meta.url))
/** All that `moult fleet status` does but print. */
const OURS = `
  const { fleetFigures, readLogs } = await import(${JSON.stringify(DIST)})
  const { agents, versions } = fleetFigures(await readLogs([process.env.DIR]))
  console.log(agents, versions)`
const DUCKDB = `
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const database = await (await DuckDBInstance.create(':memory:')).connect()
  await database.run('SET threads = 2')
  const query = ${JSON.stringify(newestStateQuery('LOGS'))}.replace('LOGS', process.env.DIR + '/*.gz')
  console.log((await database.runAndReadAll(query)).getRowObjectsJson())`

interface Contender {
  readonly name: string
  /** For the shell, with the folder in $DIR. */
  readonly command: string
  /** Undefined when it can run, else why not. */
  readonly lacks?: string | undefined
}

interface Cost {
  readonly name: string
  readonly cpuS: number
  readonly wallS: number
  /** The largest sum over all processes at a moment, of what each had at most. */
  readonly rssMb: number
}

const folder = flags.dir ?? mkdtempSync(join(tmpdir(), 'moult-bench-'))
try {
  if (!existsSync(folder) || readdirSync(folder).length === 0) await generate()
  const costs: Cost[] = []
  for (let round = 0; round < Number(flags.repeat); round++) {
    for (const contender of contenders()) {
      if (contender.lacks === undefined) costs.push(await measure(contender))
      else console.error(`without ${contender.name}: ${contender.lacks}`)
    }
  }
  report(costs)
} finally {
  if (flags.dir === undefined) rmSync(folder, { recursive: true, force: true })
}

async function generate(): Promise<void> {
  const { lines, agents, files } = flags
  const args = ['--lines', lines, '--agents', agents, '--files', files, '--out', folder]
  const child = spawn(process.execPath, ['--import', 'tsx', script('generate.ts'), ...args], { stdio: 'inherit' })
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error('the logs were not made')
}

function contenders(): Contender[] {
  const lines = Number(flags.lines)
  return [
    { name: 'gunzip alone', command: 'cat "$DIR"/*.gz | gunzip -c > /dev/null' },
    {
      name: 'ours',
      command: nodeScript(OURS),
      lacks: existsSync(DIST) ? undefined : 'no dist: npm run build',
    },
    {
      name: 'DuckDB',
      command: nodeScript(DUCKDB),
      lacks: hasPackage('@duckdb/node-api') ? undefined : 'the package is not installed',
    },
    { name: 'zcat and mawk', command: MAWK, lacks: lackOf('mawk') },
    {
      name: 'GoAccess',
      command:
        'zcat "$DIR"/*.gz | goaccess --log-format=CLOUDFRONT --output=/dev/null --no-progress -o csv - > /dev/null',
      lacks: lackOf('goaccess') ?? (lines > GOACCESS_LINES_MAX ? 'it would take long' : undefined),
    },
  ]
}

async function measure({ name, command }: Contender): Promise<Cost> {
  const args = ['-c', `set -o pipefail\n${command}`]
  const { cpuS, wallS, peakMb } = await measureCommand('bash', args, { env: { DIR: folder }, stdout: 'ignore' })
  return { name, cpuS, wallS, rssMb: peakMb }
}

/** As plain JavaScript: a loader in the process would be measured, too. */
function nodeScript(source: string): string {
  return `"${process.execPath}" --input-type=module --eval '${source.replaceAll("'", String.raw`'\''`)}'`
}

function lackOf(program: string): string | undefined {
  return findProgram(program) === undefined ? 'it is not installed' : undefined
}

function hasPackage(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

function script(name: string): string {
  return fileURLToPath(new URL(`./fleet-logs/${name}`, import.meta.url))
}

function report(costs: readonly Cost[]): void {
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  // The cheapest of the rounds: what else ran on the machine only ever adds.
  const best = [...new Set(costs.map(({ name }) => name))].map((name) => {
    return costs.filter((cost) => cost.name === name).reduce((least, cost) => (cost.cpuS < least.cpuS ? cost : least))
  })
  const floor = best[0]?.cpuS ?? 1
  const rows = best.map((cost) => ({ ...cost, ratio: cost.cpuS / floor }))
  if (flags.json) {
    console.log(
      JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, lines: Number(flags.lines), bytes, rows }),
    )
    return
  }
  console.log(
    `${flags.lines} lines, ${(bytes / 1e6).toFixed(0)} MB of gzip; Node ${process.version}, ${cpus()[0]?.model}\n`,
  )
  console.log(
    `${''.padEnd(16)} ${'CPU s'.padStart(8)} ${'ratio'.padStart(7)} ${'wall s'.padStart(8)} ${'RSS MB'.padStart(8)}`,
  )
  for (const { name, cpuS, ratio, wallS, rssMb } of rows) {
    const cells = [cpuS.toFixed(1).padStart(8), ratio.toFixed(2).padStart(7), wallS.toFixed(1).padStart(8)]
    console.log(`${name.padEnd(16)} ${cells.join(' ')} ${rssMb.toFixed(0).padStart(8)}`)
  }
}
