// What can bring a file from one version to the next, each as the commands that make and apply it.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { Files } from './corpus.ts'
import { type Bench, REPOSITORY } from './figure.ts'
import { hasPeers, PEERS, peerVersion } from './peers.ts'
import { plainScript } from './plain-script.ts'
import { type CommandCost, measureCommand } from './process-cost.ts'
import { findProgram, hasProgram } from './programs.ts'

/** Of which files are compared, in the columns' order. */
export const CODEC_NAMES = [
  'moult',
  'bsdiff',
  'xdelta3',
  'zstd patch',
  'hdiffpatch',
  'block map',
  'brotli 11',
  'brotli 9',
  'zstd 19',
] as const
export type CodecName = (typeof CODEC_NAMES)[number]

export interface Codec {
  readonly name: CodecName
  /** Changes whenever its results may. */
  readonly version: string
  /** Writes `patch`. */
  make(files: Files, patch: string): Promise<CommandCost>
  /** Writes `out` from the old file and `patch`. Undefined: applying it is no command of its own. */
  readonly apply?: (files: Files, patch: string, out: string) => Promise<CommandCost>
}

/** Those that can run here; in the full form all but HDiffPatch, which neither npm nor Debian has. */
export async function openCodecs(bench: Bench): Promise<Codec[]> {
  const script = async (name: string): Promise<string> => plainScript(name, bench.folder)
  const node = (...args: readonly string[]): Promise<CommandCost> => measureCommand(process.execPath, args)
  const [makeDelta, applyDelta, brotli] = [
    await script('make-delta'),
    await script('apply-delta'),
    await script('brotli'),
  ]
  const codecs: Codec[] = [
    {
      name: 'moult',
      version: hashOfFolder('delta'),
      make: ({ old, fresh }, patch) => node(makeDelta, old, fresh, patch),
      apply: ({ old, fresh }, patch, out) => node(applyDelta, old, patch, out, String(statSync(fresh).size)),
    },
    ...([11, 9] as const).map((quality): Codec => ({
      name: `brotli ${quality}`,
      version: `brotli ${process.versions['brotli']}`,
      make: ({ fresh }, patch) => node(brotli, String(quality), fresh, patch),
      apply: (_files, patch, out) => node(brotli, 'unpack', patch, out),
    })),
  ]
  if (hasProgram('bsdiff', bench)) {
    codecs.push({
      name: 'bsdiff',
      version: `bsdiff ${debianVersion('bsdiff')}`,
      make: ({ old, fresh }, patch) => measureCommand('bsdiff', [old, fresh, patch]),
      apply: ({ old }, patch, out) => measureCommand('bspatch', [old, out, patch]),
    })
  }
  if (hasProgram('xdelta3', bench)) {
    const memory = ['-B', String(2 ** 30)]
    codecs.push({
      name: 'xdelta3',
      version: `xdelta3 ${debianVersion('xdelta3')}, -9 -S lzma`,
      make: ({ old, fresh }, patch) =>
        measureCommand('xdelta3', ['-q', '-f', '-9', '-S', 'lzma', ...memory, '-e', '-s', old, fresh, patch]),
      apply: ({ old }, patch, out) => measureCommand('xdelta3', ['-q', '-f', ...memory, '-d', '-s', old, patch, out]),
    })
  }
  if (hasProgram('zstd', bench)) {
    const version = `zstd ${debianVersion('zstd')}`
    const long = ['-q', '-f', '--long=31']
    codecs.push(
      {
        name: 'zstd patch',
        version: `${version}, -19 --long=31 --patch-from`,
        make: ({ old, fresh }, patch) =>
          measureCommand('zstd', [...long, '-19', `--patch-from=${old}`, fresh, '-o', patch]),
        apply: ({ old }, patch, out) =>
          measureCommand('zstd', [...long, '-d', `--patch-from=${old}`, patch, '-o', out]),
      },
      {
        name: 'zstd 19',
        version: `${version}, -19`,
        make: ({ fresh }, patch) => measureCommand('zstd', ['-q', '-f', '-19', fresh, '-o', patch]),
        apply: (_files, patch, out) => measureCommand('zstd', ['-q', '-f', '-d', patch, '-o', out]),
      },
    )
    if (hasPeers(bench)) codecs.push(await blockMapCodec(bench))
  }
  if (hasProgram('hdiffz', bench, 'optional') && hasProgram('hpatchz', bench, 'optional')) {
    codecs.push({
      name: 'hdiffpatch',
      version: `${hdiffVersion()}, -m -c-lzma2-9-64m`,
      make: ({ old, fresh }, patch) => measureCommand('hdiffz', ['-m', '-c-lzma2-9-64m', '-f', old, fresh, patch]),
      apply: ({ old }, patch, out) => measureCommand('hpatchz', ['-f', old, patch, out]),
    })
  }
  return codecs
}

/** What electron-updater would fetch, compressed by zstd, which no server does with ranges: better than it is. */
async function blockMapCodec(bench: Bench): Promise<Codec> {
  const script = await plainScript('block-map', bench.folder)
  return {
    name: 'block map',
    version: `${peerVersion('app-builder-lib')}, ${peerVersion('electron-updater')}, changed blocks by zstd -19`,
    make: async ({ old, fresh }, patch) => {
      const blocks = `${patch}.blocks`
      const cost = await measureCommand(process.execPath, [script, 'make', PEERS, old, fresh, blocks])
      const pack = 'zstd -q -19 -c "$0" > "$1"; cat "$0.map" >> "$1"'
      execFileSync('bash', ['-c', pack, blocks, patch])
      return cost
    },
  }
}

/** Of all sources in a folder of this repository. */
function hashOfFolder(folder: string): string {
  const hash = createHash('sha256')
  const path = join(REPOSITORY, folder)
  for (const name of readdirSync(path).sort()) hash.update(name).update(readFileSync(join(path, name)))
  return hash.digest('hex').slice(0, 16)
}

function debianVersion(name: string): string {
  try {
    const args = ['-W', '-f', '${Version}', name]
    return execFileSync('dpkg-query', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return 'of this system'
  }
}

/** The first line of its help says it. */
function hdiffVersion(): string {
  const said = execFileSync('sh', ['-c', '"$0" -v 2>&1 || true', findProgram('hdiffz') ?? 'hdiffz'], {
    encoding: 'utf8',
  })
  return `HDiffPatch ${/v?(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? ''}`.trim()
}
