// A fleet of up to a million agents in virtual time: the agent's real schedule, checks and decision against a model of
// the host. What it found is told in docs/simulation.md.
//
//   npx tsx scripts/simulate-fleet.ts [scenario...] [--agents 100000] [--seed 1] [--svg <folder>] [--json]
//
// Without a scenario all of them are played, one after the other.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { drawCurves } from './fleet-model/curve-svg.ts'
import { type Figures, figuresOf } from './fleet-model/figures.ts'
import { runFleet } from './fleet-model/fleet.ts'
import { SCENARIOS } from './fleet-model/scenarios.ts'
import type { Tally } from './fleet-model/tally.ts'

const AGENTS_MAX = 1_000_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    agents: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const agents = numberOf('agents', 1, AGENTS_MAX)
const seed = numberOf('seed', 0, 2 ** 32 - 1)
const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS)
for (const name of names) play(name)

function play(name: string): void {
  const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined
  if (scenario === undefined)
    throw new Error(`no such scenario: ${name}; there are ${Object.keys(SCENARIOS).join(', ')}`)
  const before = process.cpuUsage()
  const tally = runFleet({ ...scenario, agents, seed })
  const { user, system } = process.cpuUsage(before)
  const cpuSeconds = Math.round((user + system) / 1e5) / 10
  const figures = figuresOf({ ...scenario, agents, seed }, tally)
  const residentMb = Math.round(process.memoryUsage().rss / 1e6)
  if (values.json)
    console.log(JSON.stringify({ scenario: name, agents, seed, ...figures, run: { cpuSeconds, residentMb } }))
  else
    console.log(
      [`${name}: ${scenario.title}`, ...describe(figures), `  (${cpuSeconds} s of one core, ${residentMb} MB)\n`].join(
        '\n',
      ),
    )
  if (values.svg !== undefined) draw(values.svg, name, scenario.title, tally)
}

function describe({ spans, adoption, counts, bytes, refused }: Figures): string[] {
  const tell = (record: Readonly<Record<string, number | null>>): string =>
    Object.entries(record)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')
  return [
    ...spans.map(({ name, share, meanPerS, windows }) => {
      const peaks = windows.map(
        ({ windowS, peakToMean, byChance }) => `${windowS} s: ${peakToMean} (by chance ${byChance})`,
      )
      return `  ${name}: ${share} of the mean of ${meanPerS}/s; peak to mean in ${peaks.join(', ')}`
    }),
    `  counts: ${tell(counts)}`,
    `  bytes: ${tell(bytes)}`,
    ...(Object.keys(refused).length > 0 ? [`  refused: ${tell(refused)}`] : []),
    ...(adoption.half === null ? [] : [`  seconds to the new version: ${tell(adoption)}`]),
  ]
}

function draw(folder: string, name: string, title: string, { polls, moved }: Tally): void {
  const [first] = SCENARIOS[name]?.spans ?? []
  const panels = [{ label: 'polls a second', values: polls, mean: agents / (first?.intervalS ?? 1) }]
  let there = 0
  const adopted = Array.from(moved, (count) => ((there += count) / agents) * 100)
  mkdirSync(folder, { recursive: true })
  const all = there > 0 ? [...panels, { label: 'percent on the new version', values: adopted, top: 100 }] : panels
  writeFileSync(join(folder, `${name}.svg`), drawCurves(`${title} (${agents} agents, seed ${seed})`, all))
}

function numberOf(option: 'agents' | 'seed', min: number, max: number): number {
  const value = Number(values[option])
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new Error(`--${option}: expected an integer from ${min} to ${max}`)
}
