// The layers of docs and lint, as one function from parsed sources to complaints.

import { posix } from 'node:path'
import type { ModuleImport, SourceModule } from './read-modules.ts'

export const MAX_LINES = 250

export interface PackageFacts {
  /** Packages an installed Moult may find: every kind of dependency but devDependencies. */
  readonly shippedDependencies: ReadonlySet<string>
}

export const EVERY_LAYER = ['manifests', 'delta', 'trees', 'release', 'agent', 'fleet', 'local-server', 'kubernetes']

/** Which folders a folder may import from, itself aside. '' is the root: index.ts. */
const ALLOWED_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  manifests: [],
  delta: [],
  // How a tree becomes an archive: a release and an agent have to come to the same bytes.
  trees: ['manifests'],
  release: ['manifests', 'delta', 'trees'],
  agent: ['manifests', 'delta', 'trees'],
  fleet: ['manifests'],
  'local-server': [],
  // It decides as an agent does, by the agent's own code.
  kubernetes: ['manifests', 'agent'],
  cli: EVERY_LAYER,
  '': EVERY_LAYER,
  // They make test data, and run the long form of tests.
  scripts: [...EVERY_LAYER, '', 'test'],
  bench: [...EVERY_LAYER, '', 'scripts', 'test'],
  examples: [...EVERY_LAYER, ''],
  test: [...EVERY_LAYER, '', 'scripts', 'bench', 'examples'],
}
const SHIPPED_FOLDERS = new Set(['', 'cli', ...EVERY_LAYER])

/** Bare specifiers a folder may import; a folder that is absent here may import any dependency. */
const ALLOWED_PACKAGES: Readonly<Record<string, RegExp>> = {
  manifests: /^(?:node:crypto|fastest-levenshtein|semver(?:\/.+)?)$/,
  delta: /^node:(?:crypto|zlib)$/,
  trees: /^(?:node:.+|tar)$/,
  agent: /^(?:node:.+|tar)$/,
}
/** Clients of services: each in its own place only, and loaded when it is used. */
const SDKS: readonly (readonly [sdk: RegExp, place: string, other?: string])[] = [
  [/^@(?:smithy|octokit)\//, 'release/publishers'],
  // One side writes to buckets, the other reads logs from them.
  [/^@aws-sdk\//, 'release/publishers', 'fleet/sources'],
  [/^@kubernetes\//, 'kubernetes'],
]
const BUILD_TOOL = /^(?:esbuild|execa)$/
const BUILD_TOOL_FOLDERS = new Set(['release', 'cli', 'scripts', 'bench', 'test'])
/** The agent changes the file system by its port alone, so that tests can record and break whatever it does. */
const DISK_PORTS = new Set([
  'agent/home/disk.ts',
  'agent/home/read-only-file.ts',
  'agent/install/home-owner.ts',
  'agent/home/sums.ts',
])
const READS_FILES =
  /^(?:constants|createReadStream|existsSync|(?:access|l?stat|statfs|readFile|readdir|readlink|realpath)(?:Sync)?)$/
const FORBIDDEN_NAME = /^(?:utils?|helpers?|common|manager)(?:\.|$)|[-.](?:utils?|helpers?|common|manager)\./

/** Every complaint as `path:line: reason`, in the order of the sources. */
export function findViolations(
  modules: readonly SourceModule[],
  facts: PackageFacts,
  longFiles: Readonly<Record<string, string>>,
): string[] {
  return modules.flatMap((module) => [
    ...nameViolations(module.path),
    ...lengthViolations(module, longFiles),
    ...module.defaultExportLines.map((line) => `${module.path}:${line}: default export`),
    ...module.enumLines.map((line) => `${module.path}:${line}: enum`),
    ...(folderOf(module.path) === 'manifests'
      ? module.clockLines.map((line) => `${module.path}:${line}: manifests reads the clock`)
      : []),
    ...module.imports.flatMap((found) =>
      importViolations(module.path, found, facts).map((reason) => `${module.path}:${found.line}: ${reason}`),
    ),
  ])
}

function nameViolations(path: string): string[] {
  const name = posix.basename(path)
  const violations: string[] = []
  if (FORBIDDEN_NAME.test(name)) violations.push(`${path}:1: a name that says nothing`)
  if (name === 'index.ts' && path.split('/').length > 2) violations.push(`${path}:1: index.ts below a folder's root`)
  return violations
}

function lengthViolations({ path, lineCount }: SourceModule, longFiles: Readonly<Record<string, string>>): string[] {
  if (/(?:\.test|-cases)\.ts$/.test(path)) return [] // A list of cases is long without being tangled.
  const listed = Object.hasOwn(longFiles, path)
  if (lineCount > MAX_LINES && !listed)
    return [`${path}:${MAX_LINES + 1}: ${lineCount} lines, and not in the allowlist`]
  if (lineCount <= MAX_LINES && listed) return [`${path}:1: ${lineCount} lines: no longer needs its allowlist entry`]
  return []
}

function importViolations(path: string, { specifier, kind, names }: ModuleImport, facts: PackageFacts): string[] {
  const folder = folderOf(path)
  if (/^[./]/.test(specifier)) return relativeViolations(path, folder, specifier)

  const violations: string[] = []
  const shipped = SHIPPED_FOLDERS.has(folder)
  const name = packageOf(specifier)
  if (name === 'moult' && folder !== 'examples') violations.push(`imports its own package: ${specifier}`)
  if (ALLOWED_PACKAGES[folder]?.test(specifier) === false) violations.push(`${folder} may not import ${specifier}`)
  if (folder === 'agent' && /^node:fs(?:\/promises)?$/.test(specifier) && !DISK_PORTS.has(path)) {
    const changing = names.filter((name) => !READS_FILES.test(name))
    violations.push(...changing.map((name) => `changes files beside agent/home/disk.ts: ${name}`))
  }
  // Tests and benchmarks look at a service with a client of their own.
  const [, place, other] = SDKS.find(([sdk]) => sdk.test(specifier)) ?? []
  if (place !== undefined && shipped) {
    if (![place, other].some((one) => path.startsWith(`${one}/`))) violations.push(`SDK outside ${place}: ${specifier}`)
    else if (kind === 'static') violations.push(`SDK imported eagerly: ${specifier}`)
  }
  if (BUILD_TOOL.test(specifier) && !BUILD_TOOL_FOLDERS.has(folder)) {
    violations.push(`build tool outside release and cli: ${specifier}`)
  }
  if (shipped && kind !== 'type' && !specifier.startsWith('node:') && !facts.shippedDependencies.has(name)) {
    violations.push(`not a dependency of the package: ${specifier}`)
  }
  return violations
}

function relativeViolations(path: string, folder: string, specifier: string): string[] {
  const target = posix.join(posix.dirname(path), specifier)
  const targetFolder = folderOf(target)
  if (specifier.startsWith('/') || target.startsWith('..')) return [`imports from outside the project: ${specifier}`]
  if (targetFolder === folder) return []
  if (targetFolder === 'cli' && path.startsWith('test/cli/')) return []
  if (ALLOWED_FOLDERS[folder]?.includes(targetFolder) === true) return []
  return [`${folder || 'the root'} may not import ${targetFolder || 'the root'}: ${specifier}`]
}

/** The top folder of a path; '' for a file of the root. */
function folderOf(path: string): string {
  const [first = '', ...rest] = path.split('/')
  return rest.length === 0 ? '' : first
}

function packageOf(specifier: string): string {
  const depth = specifier.startsWith('@') ? 2 : 1
  return specifier.split('/').slice(0, depth).join('/')
}
