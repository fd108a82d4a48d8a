import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { MoultError } from '../../manifests/errors.ts'
import type { Platform } from '../../manifests/platform.ts'
import { findInFile } from './find-in-file.ts'
import { assertPlatform } from './inspect-executable.ts'
import { DEFAULT_NODE_VERSION, NODE_PACKAGES, NODE_PLATFORMS, type NodePackage } from './node-packages.ts'

export interface NodeRuntime {
  platform: Platform
  version: string
  /** The executable; read-only for all users of the cache. */
  path: string
  sha256: string
}

export interface FetchNodeOptions {
  platform: Platform
  /** Default: `DEFAULT_NODE_VERSION`. */
  version?: string
  /** Default: `$XDG_CACHE_HOME/moult/node`, else `~/.cache/moult/node`. */
  cacheDir?: string
  /** Directory whose npm configuration counts; default: the working directory. */
  cwd?: string
  signal?: AbortSignal
  log?: (line: string) => void
}

interface CacheRecord {
  package: string
  sha256: string
}

const RECORD_FILE = 'record.json'

// Builds of several platforms run at the same time and all need the builder's Node: one download serves them.
// The first caller's signal ends it for all: within a process they belong to one command.
const running = new Map<string, Promise<NodeRuntime>>()

export function defaultNodeCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const cacheHome = env['XDG_CACHE_HOME']
  // The XDG rules: a relative path there is to be ignored.
  const base = cacheHome !== undefined && isAbsolute(cacheHome) ? cacheHome : join(homedir(), '.cache')
  return join(base, 'moult', 'node')
}

/**
 * The Node executable of a platform, from the cache or by npm from the registry it is configured for. npm checks the
 * package's integrity; the executable's hash is compared with the one pinned here (default version) and, at each use
 * of the cache, with the one recorded when it was unpacked; its platform and version are read from its bytes.
 * @throws MoultError ERR_BUILD_FAILED
 */
export async function fetchNodeRuntime(options: FetchNodeOptions): Promise<NodeRuntime> {
  const { platform, version = DEFAULT_NODE_VERSION, cacheDir = defaultNodeCacheDir() } = options
  const source = NODE_PACKAGES[platform]
  if (source === undefined) {
    throw new MoultError('ERR_BUILD_FAILED', `no Node executable for this platform: ${platform}`, {
      hint: `The build type \`node\` knows ${NODE_PLATFORMS.join(', ')}; use \`script\` or \`command\` for others.`,
    })
  }
  const target = join(cacheDir, version, platform)
  let runtime = running.get(target)
  if (runtime === undefined) {
    runtime = ensureRuntime(source, target, { ...options, version }).finally(() => running.delete(target))
    running.set(target, runtime)
  }
  return runtime
}

async function ensureRuntime(
  source: NodePackage,
  target: string,
  options: FetchNodeOptions & { version: string },
): Promise<NodeRuntime> {
  const cached = await readCached(source, target, options)
  if (cached !== undefined) return cached

  const { platform, version, log } = options
  log?.(`fetching Node ${version} for ${platform}`)
  await mkdir(dirname(target), { recursive: true })
  const work = await mkdtemp(join(dirname(target), `.${platform}-`))
  try {
    const tarball = await packFromRegistry(source, work, options)
    const unpacked = join(work, 'unpacked')
    await unpackExecutable(source, tarball, unpacked)
    const executable = join(unpacked, basename(source.file))
    const sha256 = await hashFile(executable)
    if (version === DEFAULT_NODE_VERSION && sha256 !== source.sha256) {
      throw new MoultError('ERR_BUILD_FAILED', `not the known executable: ${source.name}@${version}`, {
        hint: 'The package differs from the one this version of Moult was made with; do not release with it.',
        details: { expected: source.sha256, found: sha256 },
      })
    }
    await assertRuntime(executable, platform, version)
    const record: CacheRecord = { package: `${source.name}@${version}`, sha256 }
    await writeFile(join(unpacked, RECORD_FILE), `${JSON.stringify(record)}\n`)
    await publish(unpacked, target)
  } finally {
    await rm(work, { recursive: true, force: true })
  }

  const fetched = await readCached(source, target, options)
  if (fetched === undefined)
    throw new MoultError('ERR_BUILD_FAILED', `the cache does not keep what was written: ${target}`)
  return fetched
}

/** Undefined when it is not there or damaged; what is damaged is moved out of the way. */
async function readCached(
  source: NodePackage,
  target: string,
  options: FetchNodeOptions & { version: string },
): Promise<NodeRuntime | undefined> {
  const { platform, version, log } = options
  const path = join(target, basename(source.file))
  const record = await readRecord(join(target, RECORD_FILE))
  const found = await hashFile(path).catch(() => undefined)
  const expected = version === DEFAULT_NODE_VERSION ? source.sha256 : record?.sha256
  if (found !== undefined && found === expected && record !== undefined)
    return { platform, version, path, sha256: found }
  if (record === undefined && found === undefined) return undefined

  log?.(`the cached Node ${version} for ${platform} is damaged; fetching it again`)
  // Renamed before it is removed: another process never sees half of it.
  const aside = `${target}.damaged-${process.pid}`
  await rename(target, aside).catch(() => undefined)
  await rm(aside, { recursive: true, force: true })
  return undefined
}

async function readRecord(path: string): Promise<CacheRecord | undefined> {
  try {
    const record: unknown = JSON.parse(await readFile(path, 'utf8'))
    return isCacheRecord(record) ? record : undefined
  } catch {
    return undefined
  }
}

function isCacheRecord(value: unknown): value is CacheRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sha256' in value &&
    typeof value.sha256 === 'string' &&
    'package' in value
  )
}

async function packFromRegistry(
  source: NodePackage,
  work: string,
  options: FetchNodeOptions & { version: string },
): Promise<string> {
  const { execa } = await import('execa')
  const spec = `${source.name}@${options.version}`
  // `npm pack`, not install: npm refuses to install a package of another system or processor.
  const result = await execa('npm', ['pack', spec, '--json', '--ignore-scripts', '--pack-destination', work], {
    cwd: options.cwd ?? process.cwd(),
    env: { NODE_OPTIONS: undefined, npm_config_dry_run: undefined },
    stdin: 'ignore',
    reject: false,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  })
  options.signal?.throwIfAborted()
  if (result.failed) {
    const reason = result.stderr.split('\n').find((line) => /^npm error (?!code|A complete log)/.test(line))
    throw new MoultError('ERR_BUILD_FAILED', `npm cannot fetch ${spec}: ${reason ?? result.shortMessage}`, {
      hint: 'Check the Node version of the build and that npm reaches its registry.',
      details: { package: spec, output: result.stderr.slice(-2000) },
      cause: result,
    })
  }
  return join(work, `${source.name}-${options.version}.tgz`)
}

async function unpackExecutable(source: NodePackage, tarball: string, directory: string): Promise<void> {
  const { extract } = await import('tar')
  await mkdir(directory)
  const wanted = `package/${source.file}`
  await extract({
    file: tarball,
    cwd: directory,
    // The headers and manuals beside it are 60 MB that no build needs.
    strip: wanted.split('/').length - 1,
    filter: (path, entry) => path === wanted && 'type' in entry && entry.type === 'File',
  })
  const executable = join(directory, basename(source.file))
  const stats = await lstat(executable).catch(() => undefined)
  if (stats?.isFile() !== true) {
    throw new MoultError('ERR_BUILD_FAILED', `the package holds no ${source.file}: ${source.name}`)
  }
  await chmod(executable, 0o555)
}

/** Moves the unpacked directory to its place in one step; when another process was faster, its copy stays. */
async function publish(unpacked: string, target: string): Promise<void> {
  try {
    await rename(unpacked, target)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'EPERM') throw error
  }
}

async function assertRuntime(path: string, platform: Platform, version: string): Promise<void> {
  await assertPlatform(path, platform)
  const found = await readNodeVersion(path)
  if (found !== version) {
    throw new MoultError(
      'ERR_BUILD_FAILED',
      `another Node than its package says: ${found ?? 'unknown'}, not ${version}`,
      {
        details: { path, platform },
      },
    )
  }
}

/**
 * The version of a Node executable of any platform, read from its bytes: each carries the name of the archive of its
 * own headers.
 */
export async function readNodeVersion(path: string): Promise<string | undefined> {
  const marker = '-headers.tar.gz'
  const before = 40
  for (const { context } of await findInFile(path, Buffer.from(marker), before)) {
    const match = /node-v(\d+\.\d+\.\d+)$/.exec(context.toString('latin1', 0, before))
    if (match?.[1] !== undefined) return match[1]
  }
  return undefined
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}
