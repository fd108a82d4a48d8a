// The long run: v1 -> v2 -> a bad v3 -> automatic rollback -> v4, again and again, under a real supervisor (runit) and
// from a real server, while processes of the agent are killed without warning.
//
//   npx tsx scripts/soak.ts --rounds 1000 [--parallel 2] [--mode embedded|supervised] [--seed 1] [--from 0] [--json]
//
// A round's kills and faults are drawn from the seed and its number, so `--from` goes on where a run was stopped, and
// one round can be had again: --seed S --from 417 --rounds 1. What must hold is checked after every kill and at the end
// of every round. Linux only; needs runsv (Debian package runit), and for `supervised` a `npm run build`.

import { randomInt } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { Lane } from './soak/lane.ts'
import { BAD_KINDS, programTemplate, type SoakMode } from './soak/offers.ts'

const REPORT_EVERY = 20

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    parallel: { type: 'string', default: '2' },
    mode: { type: 'string', default: 'embedded' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
})
const [rounds, parallel, from] = [Number(values.rounds), Number(values.parallel), Number(values.from)]
const seed = Number(values.seed ?? randomInt(2 ** 31))
const mode = modeOf(values.mode)
const startedMs = performance.now()
let next = from

process.exitCode = await main()

async function main(): Promise<number> {
  console.log(`soak: ${rounds} rounds, ${mode}, ${parallel} at a time, seed ${seed}, from round ${from}`)
  const directory = mkdtempSync(join(tmpdir(), 'moult-soak-'))
  const lanes: Lane[] = []
  const abandon = (): void => void Promise.all(lanes.map((lane) => lane.abandon())).finally(() => process.exit(1))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, abandon)
  try {
    const [template, moult] = [await programTemplate(mode), mode === 'supervised' ? copyMoult(directory) : '']
    for (let number = 0; number < parallel; number += 1) {
      lanes.push(await Lane.open({ directory: join(directory, `lane-${number}`), mode, template, moult }))
    }
    await Promise.all(lanes.map((lane) => runRounds(lane, lanes)))
    for (const lane of lanes) await lane.close()
    report(lanes, 'done')
    rmSync(directory, { recursive: true, force: true })
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(`soak: FAILED with seed ${seed}; what is there stays in ${directory}`)
    await Promise.all(lanes.map((lane) => lane.abandon()))
    process.exit(1) // The other lanes would still look for what was taken from them.
  }
}

async function runRounds(lane: Lane, lanes: readonly Lane[]): Promise<void> {
  while (next < from + rounds) {
    const round = next
    next += 1
    try {
      await lane.round(seed + round * 7919)
    } catch (error) {
      next = Infinity
      throw new Error(`round ${round}: ${error instanceof Error ? error.message : String(error)}\n${lane.tail()}`, {
        cause: error,
      })
    }
    const done = lanes.reduce((sum, { figures }) => sum + figures.rounds, 0)
    if (done % REPORT_EVERY === 0) report(lanes, `to round ${from + done}`)
  }
}

function report(lanes: readonly Lane[], about: string): void {
  const totals: Record<string, number> = { seconds: Math.round((performance.now() - startedMs) / 1000) }
  for (const { figures, invariants } of lanes) {
    for (const [name, count] of Object.entries({ ...figures, ...invariants.counts })) {
      totals[name] = (totals[name] ?? 0) + count
    }
  }
  if (values.json) console.log(JSON.stringify({ about, seed, mode, ...totals }))
  else
    console.log(
      `soak: ${about}: ${Object.entries(totals)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')}`,
    )
}

/** A copy: whoever builds in the meantime must not change what is tried here. */
function copyMoult(directory: string): string {
  const repository = fileURLToPath(new URL('..', import.meta.url))
  for (const name of ['dist', 'package.json']) {
    cpSync(join(repository, name), join(directory, 'moult', name), { recursive: true })
  }
  symlinkSync(join(repository, 'node_modules'), join(directory, 'moult', 'node_modules'))
  return join(directory, 'moult', 'dist', 'cli', 'main.js')
}

function modeOf(name: string): SoakMode {
  if (name in BAD_KINDS) return name as SoakMode
  throw new Error(`no such mode: ${name}`)
}
