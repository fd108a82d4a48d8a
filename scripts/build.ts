// `npm run build`: compiles the shipped folders into dist/. It also runs as `prepare`, before anything else exists.
//
// The new tree is complete before it takes the name `dist`: a build that fails leaves the old one, and builds that run
// at the same time each bring a whole one. When nothing has changed the old one stays, so that commands which run from
// it are not disturbed: `npm pack` and the demo build too.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')
const CONFIG = join(ROOT, 'tsconfig.build.json')
/** Shipped files that the compiler does not emit. */
const ASSET_NAME = /\.(?:sh|sql)$/
const SWAP_ATTEMPTS = 100

const startedAt = performance.now()
removeLeftovers()
const fresh = join(ROOT, `dist.new-${process.pid}`)
try {
  if (compileInto(fresh)) {
    copyAssets(fresh)
    chmodSync(join(fresh, 'cli/main.js'), 0o755)
    const isSame = isSameTree(fresh, DIST)
    if (!isSame) swapIn(fresh)
    console.log(`built dist in ${((performance.now() - startedAt) / 1000).toFixed(1)} s${isSame ? ', unchanged' : ''}`)
  } else {
    console.error('build failed: the sources do not compile; dist is unchanged')
    process.exitCode = 1
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
}

function compileInto(target: string): boolean {
  const manifestPath = createRequire(import.meta.url).resolve('typescript/package.json')
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as { bin: { tsc: string } }
  const tsc = join(dirname(manifestPath), manifest.bin.tsc)
  const args = [tsc, '-p', CONFIG, '--outDir', target]
  const run = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  if (run.error !== undefined) throw run.error
  return run.status === 0
}

function copyAssets(target: string): void {
  const { include } = JSON.parse(readFileSync(CONFIG, 'utf8')) as { include: readonly string[] }
  for (const folder of include) {
    if (!existsSync(join(ROOT, folder)) || !statSync(join(ROOT, folder)).isDirectory()) continue
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!ASSET_NAME.test(name)) continue
      const copy = join(target, folder, name)
      mkdirSync(dirname(copy), { recursive: true })
      cpSync(join(ROOT, folder, name), copy)
      chmodSync(copy, 0o755)
    }
  }
}

/** Compares names, bytes and modes of all files. */
function isSameTree(one: string, other: string): boolean {
  const describe = (root: string): string[] =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .map((name) => {
        const facts = statSync(join(root, name))
        const content = facts.isFile() ? readFileSync(join(root, name)).toString('latin1') : ''
        return `${name} ${facts.mode} ${content}`
      })
      .sort()
  try {
    const [mine, theirs] = [describe(one), describe(other)]
    return mine.length === theirs.length && mine.every((entry, index) => entry === theirs[index])
  } catch (error) {
    // There is no old tree, or a build beside this one exchanges it at this moment.
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** No file system call of Node exchanges two directories, so the old one steps aside first; a rival may come between. */
function swapIn(target: string): void {
  for (let attempt = 1; ; attempt++) {
    const aside = join(ROOT, `dist.old-${process.pid}-${attempt}`)
    try {
      renameSync(DIST, aside)
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
    try {
      renameSync(target, DIST)
      return
    } catch (error) {
      if (attempt === SWAP_ATTEMPTS || !hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EPERM')) throw error
    } finally {
      rmSync(aside, { recursive: true, force: true })
    }
  }
}

/** What builds that were killed left behind. */
function removeLeftovers(): void {
  for (const name of readdirSync(ROOT)) {
    const pid = /^dist\.(?:new|old)-(\d+)/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(ROOT, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
