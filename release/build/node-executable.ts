import { chmod, mkdir, mkdtemp, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { gte } from 'semver'
import { MoultError } from '../../manifests/errors.ts'
import { type Platform, platformOf } from '../../manifests/platform.ts'
import { bundleScript } from './bundle-script.ts'
import { findInFile } from './find-in-file.ts'
import { assertPlatform, type ExecutableFormat } from './inspect-executable.ts'
import { signMachO } from './mach-o-signature.ts'
import { DEFAULT_NODE_VERSION, NODE_PLATFORMS } from './node-packages.ts'
import { fetchNodeRuntime, hashFile, type NodeRuntime, readNodeVersion } from './node-runtime.ts'
import { type SmokeRun, smokeRun } from './smoke-run.ts'

export interface NodeExecutableOptions {
  entry: string
  version: string
  /** One of `NODE_PLATFORMS`. */
  platform: Platform
  /** The file to write, relative to `cwd`. */
  out: string
  /** Node inside the executable, 25.5 or later; default: `DEFAULT_NODE_VERSION`. */
  nodeVersion?: string
  cacheDir?: string
  define?: Readonly<Record<string, string>>
  minify?: boolean
  cwd?: string
  /** Name inside the macOS signature; default: the name of `out`. */
  identifier?: string
  /** False leaves the smoke run to the caller. */
  smoke?: boolean
  signal?: AbortSignal
  log?: (line: string) => void
}

export interface NodeExecutable {
  path: string
  platform: Platform
  nodeVersion: string
  /** In bytes. */
  size: number
  sha256: string
  smoke: SmokeRun
}

/** `--build-sea` appeared there; older versions need other tools and far more time. */
const NODE_VERSION_MIN = '25.5.0'
/** Name of the script inside the executable; it appears in stack traces. */
const MAIN_FILE = 'agent.js'
/** A builder holds the whole executable several times: up to 1.1 GB of memory each. */
const BUILDERS_MAX = 2
const BUILDER_TIMEOUT_MS = 300_000
const OUTPUT_MAX_CHARS = 2_000

const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:'

// How each format names the resource. Node's own code holds the bare name too, so the surroundings count: the header
// of an ELF note (name of 14 bytes), a Mach-O section with its segment, a PE resource name with its length.
const RESOURCE_MARKER: Readonly<Record<Exclude<ExecutableFormat, 'script'>, Buffer>> = {
  elf: Buffer.from('NODE_SEA_BLOB\0\0\0\x20\xda\x43\x01', 'latin1'),
  'mach-o': Buffer.from('__NODE_SEA_BLOB\0NODE_SEA\0', 'latin1'),
  pe: Buffer.concat([Buffer.from([13, 0]), Buffer.from('NODE_SEA_BLOB', 'utf16le')]),
}

let freeBuilders = BUILDERS_MAX
const waiting: Array<() => void> = []

/**
 * Builds an agent and its own Node into one executable for any of the platforms, from any of them. The same input
 * gives the same bytes. The file at `out` is replaced in one step and only when all checks have passed.
 *
 * Windows: the signature of Node's publisher is gone from the result, and none takes its place. macOS: the result
 * has an ad-hoc signature, without which Apple's ARM processors do not run it.
 * @throws MoultError ERR_BUILD_FAILED, ERR_CONFIG_INVALID
 */
export async function buildNodeExecutable(options: NodeExecutableOptions): Promise<NodeExecutable> {
  const cwd = await realpath(options.cwd ?? process.cwd())
  const out = resolve(cwd, options.out)
  const nodeVersion = options.nodeVersion ?? DEFAULT_NODE_VERSION
  assertNodeVersion(nodeVersion)
  assertBuildable(options.platform)

  const { entry, version, platform, define, minify, log } = options
  const script = await bundleScript({
    entry,
    version,
    platform,
    cwd,
    ...(define === undefined ? {} : { define }),
    ...(minify === undefined ? {} : { minify }),
    ...(log === undefined ? {} : { log }),
  })
  const [builder, target] = await fetchBoth(options, nodeVersion, cwd)
  await assertSameNode(builder, target)

  await mkdir(dirname(out), { recursive: true })
  // Beside the result, so that the last step is a rename within one file system.
  const work = await mkdtemp(join(dirname(out), '.build-'))
  try {
    const built = join(work, 'agent.bin')
    await withBuilder(() => inject(builder, target, script, work, built, options.signal))
    const facts = await assertPlatform(built, platform)
    if (facts.format === 'mach-o') await signFile(built, options.identifier ?? basename(out, extname(out)))
    await assertInjected(built, facts.format, script, (await stat(target.path)).size)
    // Executable on the machine that builds, too: the mode travels into archives.
    await chmod(built, 0o755)
    const smoke = await runSmoke(built, options)
    const { size } = await stat(built)
    const sha256 = await hashFile(built)
    await rename(built, out)
    return { path: out, platform, nodeVersion, size, sha256, smoke }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function assertNodeVersion(nodeVersion: string): void {
  if (/^\d+\.\d+\.\d+$/.test(nodeVersion) && gte(nodeVersion, NODE_VERSION_MIN)) return
  throw new MoultError('ERR_CONFIG_INVALID', `not a usable Node version: ${nodeVersion}`, {
    hint: `Give an exact version from ${NODE_VERSION_MIN} on, or leave it out for ${DEFAULT_NODE_VERSION}.`,
  })
}

/** Before anything is fetched: a name that cannot be built must not cost a download. */
function assertBuildable(platform: Platform): void {
  const host = platformOf(process.platform, process.arch)
  for (const [name, role] of [
    [platform, 'for'],
    [host, 'on'],
  ] as const) {
    if (NODE_PLATFORMS.includes(name)) continue
    throw new MoultError('ERR_BUILD_FAILED', `the build type \`node\` does not work ${role} ${name}`, {
      hint: `It knows ${NODE_PLATFORMS.join(', ')}; use \`script\` or \`command\` for others.`,
    })
  }
}

async function fetchBoth(
  options: NodeExecutableOptions,
  version: string,
  cwd: string,
): Promise<[NodeRuntime, NodeRuntime]> {
  const host = platformOf(process.platform, process.arch)
  const common = {
    version,
    cwd,
    ...(options.cacheDir === undefined ? {} : { cacheDir: resolve(cwd, options.cacheDir) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.log === undefined ? {} : { log: options.log }),
  }
  return Promise.all([
    fetchNodeRuntime({ ...common, platform: host }),
    fetchNodeRuntime({ ...common, platform: options.platform }),
  ])
}

/** A script made by one version for another can fail without a word: a program that exits 0 and does nothing. */
async function assertSameNode(builder: NodeRuntime, target: NodeRuntime): Promise<void> {
  const [builderVersion, targetVersion] = await Promise.all([
    readNodeVersion(builder.path),
    readNodeVersion(target.path),
  ])
  if (builderVersion !== undefined && builderVersion === targetVersion) return
  throw new MoultError(
    'ERR_BUILD_FAILED',
    `the Node that builds and the Node inside differ: ${builderVersion} and ${targetVersion}`,
    {
      details: { builder: builder.path, target: target.path },
    },
  )
}

async function inject(
  builder: NodeRuntime,
  target: NodeRuntime,
  script: string,
  work: string,
  built: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { execa } = await import('execa')
  const config = {
    // Relative names: this one goes into the executable.
    main: MAIN_FILE,
    output: basename(built),
    executable: target.path,
    mainFormat: 'commonjs',
    // Otherwise NODE_OPTIONS could load any code into the agent.
    execArgvExtension: 'none',
    disableExperimentalSEAWarning: true,
    // Both depend on the processor of the machine that builds.
    useCodeCache: false,
    useSnapshot: false,
  }
  await writeFile(join(work, MAIN_FILE), script)
  await writeFile(join(work, 'sea.json'), JSON.stringify(config))
  const result = await execa(builder.path, ['--build-sea', 'sea.json'], {
    cwd: work,
    env: { NODE_OPTIONS: undefined, NODE_REPL_EXTERNAL_MODULE: undefined },
    stdin: 'ignore',
    all: true,
    reject: false,
    timeout: BUILDER_TIMEOUT_MS,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  })
  signal?.throwIfAborted()
  if (!result.failed) return
  const output = result.all.slice(-OUTPUT_MAX_CHARS)
  const isLibraryMissing = output.includes('error while loading shared libraries')
  throw new MoultError('ERR_BUILD_FAILED', `Node cannot build the executable: ${output || result.shortMessage}`, {
    ...(isLibraryMissing
      ? { hint: 'Install the shared library; Node 26 needs libatomic1 (Debian) or libatomic (Fedora).' }
      : {}),
    details: { platform: target.platform, nodeVersion: target.version },
    cause: result,
  })
}

async function signFile(path: string, identifier: string): Promise<void> {
  const signed = signMachO(await readFile(path), identifier)
  // A new file: macOS caches the verdict on a signature by the inode.
  await writeFile(`${path}.signed`, signed)
  await rename(`${path}.signed`, path)
}

/** Checks the file itself, because for most platforms nobody can run it here. */
async function assertInjected(path: string, format: ExecutableFormat, script: string, nodeSize: number): Promise<void> {
  const fail = (reason: string): never => {
    throw new MoultError('ERR_BUILD_FAILED', `the built executable is not usable: ${reason}`, { details: { format } })
  }
  if (format === 'script') return fail('it is a script')
  const { size } = await stat(path)
  // An injected macOS file is smaller than its Node by the signature, about 1 % of it.
  if (size < nodeSize * 0.9 || size > nodeSize * 1.2 + 2 * script.length)
    fail(`${size} bytes from a Node of ${nodeSize}`)
  // The first one is Node's own; the agent's script comes later in the file and may contain anything.
  const [fuse] = await findInFile(path, Buffer.from(FUSE), 0, 1)
  if (fuse?.context.at(-1) !== 0x31) fail('its fuse is not set, so it would start as plain Node')
  if ((await findInFile(path, RESOURCE_MARKER[format])).length !== 1) fail('it has no resource for the script')
  if ((await findInFile(path, Buffer.from(script))).length !== 1) fail('it does not hold the script')
}

async function runSmoke(path: string, options: NodeExecutableOptions): Promise<SmokeRun> {
  if (options.smoke === false) return { ran: false, how: 'skipped', reason: 'not asked for' }
  return smokeRun(
    path,
    options.platform,
    options.version,
    options.signal === undefined ? {} : { signal: options.signal },
  )
}

async function withBuilder<T>(build: () => Promise<T>): Promise<T> {
  if (freeBuilders > 0) freeBuilders--
  else await new Promise<void>((resolveTurn) => waiting.push(resolveTurn))
  try {
    return await build()
  } finally {
    // The place goes to the next in line, or back.
    const next = waiting.shift()
    if (next === undefined) freeBuilders++
    else next()
  }
}
