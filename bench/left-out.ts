// What an agent that polls does not load, and how much memory each choice saves: how much a bare process grows by loading it.
//
//   npx tsx bench/left-out.ts [--short] [--rounds 5] [--out FOLDER]

import { execFileSync } from 'node:child_process'

import { type Cell, REPOSITORY, runFigure } from './lab/figure.ts'
import { spreadOf } from './lab/spread.ts'

/** Each after what an agent has anyway, so that nothing is counted twice. */
const ANYWAY = ['node:crypto', 'node:http', 'node:https', 'node:zlib', 'node:child_process', 'node:fs/promises']
const PARTS: readonly { readonly name: string; readonly load: string; readonly instead: string }[] = [
  {
    name: '`undici`',
    load: 'undici',
    instead: '`node:http` and `node:https`; the publisher uses it, for S3 and GitHub',
  },
  { name: '`tweetnacl`', load: 'tweetnacl', instead: '`node:crypto` verifies; only who signs loads it' },
  { name: 'all of `semver`', load: 'semver', instead: 'two of its functions, for 0.8 MB' },
  { name: '`tar`', load: 'tar', instead: 'loaded when a tree is unpacked' },
  {
    name: 'the delta codec',
    load: './dist/delta/apply-patch.js',
    instead: 'loaded when a delta is applied; its other half never',
  },
  { name: '`commander`', load: 'commander', instead: 'an embedded updater has no command line' },
]

await runFigure('left-out', async ({ rounds }) => {
  const rows = PARTS.map(({ name, load, instead }): Record<string, Cell> => {
    const grown = Array.from({ length: rounds }, () => grownBy(load))
    return { part: name, saved: spreadOf(grown), instead }
  })
  const columns = [
    { key: 'part', head: 'not loaded' },
    { key: 'saved', head: 'MB saved', digits: 1 },
    { key: 'instead', head: 'instead' },
  ]
  return Promise.resolve({ tables: [{ title: 'An agent that polls', columns, rows }], notes: [] })
})

/** Resident megabytes, after the garbage was collected. */
function grownBy(specifier: string): number {
  const script = `
    const rss = () => { gc(); gc(); return process.memoryUsage.rss() / 1e6 }
    for (const name of ${JSON.stringify(ANYWAY)}) await import(name)
    const before = rss()
    await import(${JSON.stringify(specifier)})
    console.log(rss() - before)`
  const args = ['--expose-gc', '--input-type=module', '--eval', script]
  return Number(execFileSync(process.execPath, args, { cwd: REPOSITORY, encoding: 'utf8' }))
}
