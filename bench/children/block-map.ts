// node block-map.mjs make <peers> <old> <new> <out>: writes what electron-updater would fetch of the new file, by electron-builder's
// own block maps of both, and the map itself.
// node block-map.mjs package <peers> <file>...: what electron-builder does with each artifact: a block map and a sha512.
// node block-map.mjs archive <peers> <file>...: each in a zip archive before that.

import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

interface Operation {
  /** 1: fetch from the new file, 0: copy from the old one. */
  readonly kind: number
  readonly start: number
  readonly end: number
}

interface BlockMaps {
  readonly buildBlockMap: (file: string, compression: 'gzip', out: string) => Promise<{ sha512: string }>
}

interface Archives {
  readonly archive: (format: 'zip', out: string, folder: string, options: { withoutDir: boolean }) => Promise<string>
}

interface Plans {
  readonly computeOperations: (old: unknown, fresh: unknown, logger: Pick<Console, 'info' | 'warn'>) => Operation[]
}

const [task = '', peers = '', ...files] = process.argv.slice(2)
const load = createRequire(join(peers, 'package.json'))
const { buildBlockMap } = load('app-builder-lib/out/targets/blockmap/blockmap.js') as BlockMaps
if (task === 'package') for (const file of files) await buildBlockMap(file, 'gzip', `${file}.blockmap`)
else if (task === 'archive') for (const file of files) await archiveFile(file)
else await writeChanged(files[0] ?? '', files[1] ?? '', files[2] ?? '')

/** Its archives are of folders. */
async function archiveFile(file: string): Promise<void> {
  const { archive } = load('app-builder-lib/out/targets/archive.js') as Archives
  const folder = `${file}.folder`
  mkdirSync(folder)
  renameSync(file, join(folder, basename(file)))
  await archive('zip', `${file}.zip`, folder, { withoutDir: true })
  renameSync(join(folder, basename(file)), file)
  rmSync(folder, { recursive: true })
  await buildBlockMap(`${file}.zip`, 'gzip', `${file}.zip.blockmap`)
}

async function writeChanged(old: string, fresh: string, out: string): Promise<void> {
  const { computeOperations } = load('electron-updater/out/differentialDownloader/downloadPlanBuilder.js') as Plans
  const [oldMap, newMap] = [`${out}.old.blockmap`, `${out}.new.blockmap`]
  await buildBlockMap(old, 'gzip', oldMap)
  await buildBlockMap(fresh, 'gzip', newMap)
  const silent = { info: () => {}, warn: () => {} }
  const operations = computeOperations(readMap(oldMap), readMap(newMap), silent)
  const fd = openSync(fresh, 'r')
  writeFileSync(out, '')
  for (const { kind, start, end } of operations) {
    if (kind !== 1) continue
    const piece = Buffer.alloc(end - start)
    readSync(fd, piece, 0, piece.length, start)
    appendFileSync(out, piece)
  }
  closeSync(fd)
  // It is fetched too; it does not compress any more.
  writeFileSync(`${out}.map`, readFileSync(newMap))
  rmSync(oldMap)
  rmSync(newMap)
}

function readMap(path: string): unknown {
  return JSON.parse(gunzipSync(readFileSync(path)).toString())
}
