// What a release costs: four platforms of 100 MB, already built, into a folder. The floor is to hash and to copy the same
// files; the peer is what electron-builder does with artifacts that are already built: archives, block maps and hashes.
//
//   npx tsx bench/release-time.ts [--short] [--rounds 3] [--out FOLDER]

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { type Bench, type Cell, runFigure } from './lab/figure.ts'
import { hasPeers, PEERS, peerVersion } from './lab/peers.ts'
import { plainScript } from './lab/plain-script.ts'
import { type CommandCost, measureCommand } from './lab/process-cost.ts'
import { findProgram, hasProgram, NOT_INSTALLED } from './lab/programs.ts'
import { initProject, MAIN } from './lab/project.ts'
import { spreadOf } from './lab/spread.ts'

const PLATFORMS = ['linux-amd64', 'linux-arm64', 'darwin-arm64', 'windows-amd64']
const MB = 1_000_000
const SIZE_MB = { short: 0.25, full: 100 }

interface Way {
  readonly name: string
  /** Undefined where it cannot run here. */
  readonly run?: () => Promise<CommandCost & { readonly bytes: number }>
}

await runFigure('release-time', async (bench) => {
  const sizeMb = bench.isShort ? SIZE_MB.short : SIZE_MB.full
  const files = makeFiles(bench, sizeMb * MB)
  const rounds = bench.isShort ? 1 : Math.min(bench.rounds, 3)
  const ways = [floor(bench, files), release(bench, false), release(bench, true), ...(await builderWays(bench, files))]
  const costs = new Map<string, (CommandCost & { readonly bytes: number })[]>()
  // One after the other in each round, so that what else runs on the machine meets all of them.
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of ways) {
      if (run === undefined) continue
      const cost = await run()
      console.error(`${name}: ${cost.wallS.toFixed(1)} s`)
      costs.set(name, [...(costs.get(name) ?? []), cost])
    }
  }
  const floors = (costs.get(ways[0]?.name ?? '') ?? []).map(({ wallS }) => wallS)
  const rows = ways.map(({ name }): Record<string, Cell> => {
    const own = costs.get(name)
    const spread = (of: (cost: CommandCost, round: number) => number): Cell =>
      own === undefined ? NOT_INSTALLED : spreadOf(own.map(of))
    return {
      way: name,
      wall: spread(({ wallS }) => wallS),
      ratio: spread(({ wallS }, round) => wallS / (floors[round] ?? Number.NaN)),
      cpu: spread(({ cpuS }) => cpuS),
      memory: spread(({ peakMb }) => peakMb),
      bytes: own === undefined ? NOT_INSTALLED : (own[0]?.bytes ?? 0) / MB,
    }
  })
  const columns = [
    { key: 'way', head: 'what' },
    { key: 'wall', head: 'seconds', digits: 2 },
    { key: 'ratio', head: 'of the floor', digits: 2 },
    { key: 'cpu', head: 'processor s', digits: 2 },
    { key: 'memory', head: 'MB of memory' },
    { key: 'bytes', head: 'MB written', digits: 1 },
  ]
  return { tables: [{ title: `${PLATFORMS.length} platforms of ${sizeMb} MB`, columns, rows }], notes: notesOf(bench) }
})

/** Of this Node, which compresses as programs do; each platform begins elsewhere in it, as equal files would be stored once. */
function makeFiles({ folder }: Bench, bytes: number): string[] {
  const node = readFileSync(process.execPath)
  mkdirSync(join(folder, 'bin'))
  return PLATFORMS.map((platform, index) => {
    const file = join(folder, 'bin', `agent-${platform}`)
    const from = 4096 + index * 1_000_003
    const content = Buffer.concat([node.subarray(from), node.subarray(0, from)])
    const copies = Math.ceil(bytes / content.length)
    writeFileSync(file, Buffer.concat(Array.from({ length: copies }, () => content)).subarray(0, bytes), {
      mode: 0o755,
    })
    return file
  })
}

function floor({ folder }: Bench, files: readonly string[]): Way {
  const target = join(folder, 'copy')
  return {
    name: '`sha256sum` and `cp`',
    run: async () => {
      mkdirSync(target)
      const cost = await measureCommand('bash', ['-c', 'sha256sum "$@" && cp "$@" "$0"', target, ...files])
      return { ...cost, bytes: takeBytes(target) }
    },
  }
}

/** All of `moult release`: build, hash, compress, sign, publish, read back. */
function release(bench: Bench, compress: boolean): Way {
  return {
    name: compress ? '`moult release`' : '`moult release` with `compress: false`',
    run: async () => {
      const project = await initProject(
        bench,
        'project',
        { type: 'files', agent: join(bench.folder, 'bin', 'agent-{platform}') },
        { platforms: PLATFORMS, compress, smoke: false },
      )
      const cost = await measureCommand(process.execPath, [MAIN, 'release', '1.0.0', '--json'], { cwd: project })
      const bytes = bytesOf(join(project, 'updates'))
      rmSync(project, { recursive: true })
      return { ...cost, bytes }
    },
  }
}

async function builderWays(bench: Bench, files: readonly string[]): Promise<Way[]> {
  const maps = 'electron-builder, block maps'
  const zips = 'electron-builder, zip archives'
  if (!hasPeers(bench)) return [{ name: maps }, { name: zips }]
  const script = await plainScript('block-map', bench.folder)
  const target = join(bench.folder, 'packed')
  const inTarget = async (task: string, env: Readonly<Record<string, string>> = {}) => {
    mkdirSync(target)
    const copies = files.map((file) => file.replace(join(bench.folder, 'bin'), target))
    for (const [index, copy] of copies.entries()) cpSync(files[index] ?? '', copy)
    const cost = await measureCommand(process.execPath, [script, task, PEERS, ...copies], { env })
    for (const copy of copies) rmSync(copy, { recursive: true })
    return { ...cost, bytes: takeBytes(target) }
  }
  const archiver = hasProgram('7za', bench, 'optional') ? findProgram('7za') : undefined
  return [
    { name: maps, run: () => inTarget('package') },
    {
      name: zips,
      ...(archiver === undefined ? {} : { run: () => inTarget('archive', { ELECTRON_BUILDER_7ZIP_PATH: archiver }) }),
    },
  ]
}

function takeBytes(folder: string): number {
  const bytes = bytesOf(folder)
  rmSync(folder, { recursive: true })
  return bytes
}

function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

function notesOf(bench: Bench): string[] {
  const peers = hasPeers(bench) ? `${peerVersion('app-builder-lib')}. ` : ''
  return [
    `${peers}Of electron-builder, block maps are those of the files as they are, with a sha512 of each; zip archives are made by it, with a block map and a sha512 of each archive. Its whole build wants Electron's own distribution, and its archives a 7-Zip (here Debian's \`7za\`); these are its functions, called with files that are already built. oclif packs by \`tar\` and \`gzip\` of a whole project with a Node of its own for each platform, which it downloads: not run.`,
  ]
}
