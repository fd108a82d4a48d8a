// What an update costs the agent that takes it: the largest memory of the process above a bare one, and how long its event loop
// waited, for a program of 124 MB that comes by a delta, compressed, or whole.
//
//   npx tsx bench/apply-memory.ts [--short] [--rounds 3] [--out FOLDER]
//
// The agent is `moult agent check --apply`, the same code as inside an agent. Linux only.

import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { platformOf } from '../manifests/index.ts'
import { type Answer, fetchedArtifact, serveSite } from './lab/answers.ts'
import { type Files, openPairs } from './lab/corpus.ts'
import { type Bench, type Cell, runFigure } from './lab/figure.ts'
import { plainScript } from './lab/plain-script.ts'
import { measureCommand } from './lab/process-cost.ts'
import { changeConfig, initProject, MAIN, moult } from './lab/project.ts'
import { spreadOf } from './lab/spread.ts'

const OLD_VERSION = '1.0.0'
const NEW_VERSION = '1.0.1'
const UPDATED = 100
const PAIR = 'node-p'

interface Watched {
  readonly peakMb: number
  readonly lateMs: { readonly p99: number; readonly most: number }
  readonly wallS: number
}

interface Row {
  readonly name: string
  readonly run: () => Promise<Watched>
  /** Of the new program; undefined where none is made. */
  readonly bytes?: number
}

await runFigure('apply-memory', async (bench) => {
  const rounds = bench.isShort ? 1 : Math.min(bench.rounds, 3)
  const [pair] = await openPairs(bench, bench.pairs ?? [PAIR])
  if (pair === undefined) throw new Error('no pair')
  const programs = makePrograms(bench, pair)
  const rows = await openRows(bench, programs)
  const found = new Map<string, Watched[]>()
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of rows) {
      const watched = await run()
      console.error(`${name}: ${watched.peakMb.toFixed(0)} MB, ${watched.wallS.toFixed(1)} s`)
      found.set(name, [...(found.get(name) ?? []), watched])
    }
  }
  const bare = found.get(rows[0]?.name ?? '') ?? []
  const cells = rows.map(({ name, bytes }): Record<string, Cell> => {
    const all = found.get(name) ?? []
    const spread = (of: (watched: Watched, round: number) => number): Cell => spreadOf(all.map(of))
    return {
      process: name,
      peak: spread(({ peakMb }) => peakMb),
      above: spread(({ peakMb }, round) => peakMb - (bare[round]?.peakMb ?? Number.NaN)),
      seconds: spread(({ wallS }) => wallS),
      speed: bytes === undefined ? '-' : spread(({ wallS }) => bytes / 1e6 / wallS),
      late: spread(({ lateMs }) => lateMs.p99),
      latest: spread(({ lateMs }) => lateMs.most),
    }
  })
  const columns = [
    { key: 'process', head: 'process' },
    { key: 'peak', head: 'MB at most', digits: 1 },
    { key: 'above', head: 'above the bare process', digits: 1 },
    { key: 'seconds', head: 'seconds, start included', digits: 2 },
    { key: 'speed', head: 'MB of it a second' },
    { key: 'late', head: 'event loop late by, 99 %, ms', digits: 1 },
    { key: 'latest', head: 'at most, ms', digits: 1 },
  ]
  const title = `${pair.name}, ${pair.what}: ${(statSync(programs.fresh).size / 1e6).toFixed(1)} MB`
  const notes = [
    'The memory is of the process alone (VmHWM), without the new program that the agent runs once (`--version`) before it takes it.',
    'The event loop is late by what a timer of 1 ms comes too late; loading the code at the start is in it, and is all of it where nothing is new.',
  ]
  return { tables: [{ title, columns, rows: cells }], notes }
})

/** Programs that say their version, as the agent asks each new one for it. */
function makePrograms(bench: Bench, { old, fresh }: Files): { old: string; fresh: string } {
  const programs = {
    old: join(bench.folder, `program-${OLD_VERSION}`),
    fresh: join(bench.folder, `program-${NEW_VERSION}`),
  }
  for (const [version, from, to] of [
    [OLD_VERSION, old, programs.old],
    [NEW_VERSION, fresh, programs.fresh],
  ] as const) {
    copyFileSync(from, to)
    if (bench.isShort) {
      // What the short form compares is a piece of a program: a shell reads no further than `exit`.
      writeFileSync(to, Buffer.concat([Buffer.from(`#!/bin/sh\necho ${version}; exit\n`), readFileSync(from)]))
    }
  }
  return programs
}

async function openRows(bench: Bench, programs: { old: string; fresh: string }): Promise<Row[]> {
  const script = async (name: string): Promise<string> => plainScript(name, bench.folder)
  const watch = await script('watch-itself')
  const [makeDelta, applyDelta] = [await script('make-delta'), await script('apply-delta')]
  const watched = async (args: readonly string[], options: { env?: Record<string, string>; status?: number } = {}) => {
    const file = join(bench.folder, 'watched.json')
    const env = { ...options.env, BENCH_WATCH_FILE: file, DEPLOYMENT_MODE: 'vm' }
    const { wallS } = await measureCommand(process.execPath, ['--import', watch, ...args], { ...options, env })
    return { ...(JSON.parse(readFileSync(file, 'utf8')) as Omit<Watched, 'wallS'>), wallS }
  }
  const [patch, out] = [join(bench.folder, 'patch'), join(bench.folder, 'out')]
  await measureCommand(process.execPath, [makeDelta, programs.old, programs.fresh, patch])
  const bytes = statSync(programs.fresh).size

  const packed = await publish(bench, 'packed', programs, { compress: true })
  const plain = await publish(bench, 'plain', programs, { compress: false, deltas: false })
  const check = (home: string): string[] => [MAIN, 'agent', 'check', '--home', home, '--apply']
  const update =
    (from: Published, name: string, expected: RegExp, env: Record<string, string> = {}): Row['run'] =>
    async () => {
      const home = await from.install(name)
      const result = await watched(check(home), { env, status: UPDATED })
      fetchedArtifact(from.answers, expected)
      rmSync(home, { recursive: true })
      return result
    }
  return [
    { name: 'a bare Node process', run: () => watched(['--eval', '0']) },
    {
      name: 'the codec alone, by a delta',
      run: () => watched([applyDelta, programs.old, patch, out, String(bytes)]),
      bytes,
    },
    { name: 'the agent, nothing new', run: async () => watched(check(await packed.installNew())) },
    { name: 'the agent, by a delta', run: update(packed, 'delta', /\.from-/), bytes },
    { name: 'the agent, compressed', run: update(packed, 'compressed', /\.br$/, { UPDATE_DELTAS: 'false' }), bytes },
    { name: 'the agent, whole', run: update(plain, 'whole', /64$/), bytes },
  ]
}

interface Published {
  readonly answers: readonly Answer[]
  /** @returns a new home that runs the old version */
  install(name: string): Promise<string>
  /** @returns the home that runs the new version */
  installNew(): Promise<string>
}

async function publish(
  bench: Bench,
  name: string,
  programs: { old: string; fresh: string },
  config: Readonly<Record<string, unknown>>,
): Promise<Published> {
  const platform = platformOf(process.platform, process.arch)
  const init = { type: 'files', agent: join(bench.folder, 'program-{version}') } as const
  const project = await initProject(bench, name, init, { platforms: [platform], smoke: false, compress: false })
  await moult(project, 'release', OLD_VERSION)
  const { url, answers } = await serveSite(bench, join(project, 'updates'))
  const install = async (home: string, ...more: readonly string[]): Promise<string> => {
    const place = ['--home', home, '--server', url, '--root', 'trust/1.root.json', '--probation', '0s']
    await moult(project, 'agent', 'install', ...place, ...more)
    return home
  }
  // The old version is only ever installed from its file.
  changeConfig(project, config)
  await moult(project, 'release', NEW_VERSION)
  let count = 0
  return {
    answers,
    install: (way) => {
      count += 1
      const given = ['--program', programs.old, '--program-version', OLD_VERSION]
      return install(join(bench.folder, `home ${way} ${count}`), ...given)
    },
    installNew: () => install(join(bench.folder, `home ${name} new`)),
  }
}
