// How many bytes an update is, and what it costs to make and to apply: Moult's delta beside what one would pick instead, on
// pairs of real programs.
//
//   npx tsx bench/update-bytes.ts [--short] [--pairs esbuild-p,ts-p] [--out FOLDER]
//
// Each result is kept in the cache folder by tool, version and pair, so that only what has changed runs again. Every patch is
// applied, and what comes out compared with the new file.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { type Codec, CODEC_NAMES, type CodecName, openCodecs } from './lab/codecs.ts'
import { CACHE, type Files, openPairs, sha256Of } from './lab/corpus.ts'
import { type Bench, type Cell, runFigure, type Table } from './lab/figure.ts'
import { NOT_INSTALLED } from './lab/programs.ts'
import { geometricMean } from './lab/spread.ts'

interface Trial {
  readonly bytes: number
  readonly makeCpuS: number
  readonly makeWallS: number
  readonly makeMb: number
  readonly applyCpuS?: number
  readonly applyWallS?: number
  readonly applyMb?: number
}

interface PairTrials {
  readonly files: Files
  readonly trials: ReadonlyMap<CodecName, Trial>
}

await runFigure('update-bytes', async (bench) => {
  const codecs = await openCodecs(bench)
  const all: PairTrials[] = []
  for (const files of await openPairs(bench)) {
    const trials = new Map<CodecName, Trial>()
    for (const codec of codecs) {
      const trial = await cached(bench, codec, files)
      console.error(`${files.name}: ${codec.name} ${trial.bytes} bytes`)
      trials.set(codec.name, trial)
    }
    all.push({ files, trials })
  }
  return { tables: [bytesTable(all), ratioTable(all), timeTable(all), memoryTable(all)], notes: notesOf(codecs) }
})

async function cached(bench: Bench, codec: Codec, files: Files): Promise<Trial> {
  if (bench.isShort) return tryCodec(bench, codec, files)
  const key = `${codec.name}, ${codec.version}, ${files.name}, ${process.version}`.replaceAll(/[^\w.-]+/g, '_')
  const path = join(CACHE, 'results', `${key}.json`)
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Trial
  const trial = await tryCodec(bench, codec, files)
  mkdirSync(join(CACHE, 'results'), { recursive: true })
  writeFileSync(path, JSON.stringify(trial))
  return trial
}

async function tryCodec({ folder }: Bench, codec: Codec, files: Files): Promise<Trial> {
  const [patch, out] = [join(folder, 'patch'), join(folder, 'out')]
  const made = await codec.make(files, patch)
  const making = {
    bytes: statSync(patch).size,
    makeCpuS: made.cpuS,
    makeWallS: made.wallS,
    makeMb: made.peakMb,
  }
  if (codec.apply === undefined) return making
  const applied = await codec.apply(files, patch, out)
  if (sha256Of(out) !== sha256Of(files.fresh)) throw new Error(`${codec.name} gave another file for ${files.name}`)
  return { ...making, applyCpuS: applied.cpuS, applyWallS: applied.wallS, applyMb: applied.peakMb }
}

function bytesTable(all: readonly PairTrials[]): Table {
  return {
    title: 'Bytes',
    columns: [
      { key: 'pair', head: 'pair' },
      { key: 'what', head: 'what' },
      { key: 'size', head: 'new file' },
      ...codecColumns(),
    ],
    rows: all.map(({ files, trials }) => ({
      pair: files.name,
      what: files.what,
      size: statSync(files.fresh).size,
      ...cells(trials, ({ bytes }) => bytes),
    })),
  }
}

/** Moult's bytes as a share of each other's; the geometric mean of all pairs comes last. */
function ratioTable(all: readonly PairTrials[]): Table {
  const others = CODEC_NAMES.filter((name) => name !== 'moult')
  const share = (trials: ReadonlyMap<CodecName, Trial>, other: CodecName): number | undefined => {
    const [own, peer] = [trials.get('moult'), trials.get(other)]
    return own === undefined || peer === undefined ? undefined : own.bytes / peer.bytes
  }
  const means = others.map((other) => {
    const shares = all.map(({ trials }) => share(trials, other)).filter((one) => one !== undefined)
    return [other, shares.length === 0 ? NOT_INSTALLED : geometricMean(shares)] as const
  })
  return {
    title: "Moult's delta as a share of the others",
    columns: [{ key: 'pair', head: 'pair' }, ...others.map((key) => ({ key, head: key, digits: 3 }))],
    rows: [
      ...all.map(({ files, trials }) => ({
        pair: files.name,
        ...Object.fromEntries(others.map((other) => [other, share(trials, other) ?? NOT_INSTALLED])),
      })),
      { pair: 'geometric mean', ...Object.fromEntries(means) },
    ],
  }
}

function timeTable(all: readonly PairTrials[]): Table {
  const seconds = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(value < 10 ? 2 : 0))
  return {
    title: 'Seconds of processor time to make / to apply',
    columns: [{ key: 'pair', head: 'pair' }, ...codecColumns()],
    rows: all.map(({ files, trials }) => ({
      pair: files.name,
      ...cells(trials, ({ makeCpuS, applyCpuS }) => `${seconds(makeCpuS)} / ${seconds(applyCpuS)}`),
    })),
  }
}

function memoryTable(all: readonly PairTrials[]): Table {
  const mb = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(0))
  return {
    title: 'MB of memory at most to make / to apply',
    columns: [{ key: 'pair', head: 'pair' }, ...codecColumns()],
    rows: all.map(({ files, trials }) => ({
      pair: files.name,
      ...cells(trials, ({ makeMb, applyMb }) => `${mb(makeMb)} / ${mb(applyMb)}`),
    })),
  }
}

function codecColumns(): { key: string; head: string }[] {
  return CODEC_NAMES.map((name) => ({ key: name, head: name }))
}

function cells(trials: ReadonlyMap<CodecName, Trial>, of: (trial: Trial) => Cell): Record<string, Cell> {
  return Object.fromEntries(
    CODEC_NAMES.map((name) => {
      const trial = trials.get(name)
      return [name, trial === undefined ? NOT_INSTALLED : of(trial)]
    }),
  )
}

function notesOf(codecs: readonly Codec[]): string[] {
  const versions = codecs.filter(({ name }) => name !== 'moult').map(({ version }) => version)
  const notes = [`Versions: ${[...new Set(versions)].join('; ')}.`]
  const missing = CODEC_NAMES.filter((name) => !codecs.some((codec) => codec.name === name))
  if (missing.length > 0) notes.push(`Not installed: ${missing.join(', ')}.`)
  return notes
}
