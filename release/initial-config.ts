import { readFile, stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'

import { isVersion, MoultError, nameShape, platformOf } from '../manifests/index.ts'
import { type BuildConfig, type Config, configShape, DEFAULT_PLATFORMS, SCHEMA_REFERENCE } from './config.ts'
import { DEFAULT_PUBLISH_PATH } from './publishers/publish-config.ts'

export type BuildType = BuildConfig['type']
export const BUILD_TYPES: readonly BuildType[] = ['command', 'files', 'script', 'node', 'directory']

const SCRIPT_EXTENSIONS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']

/** The configuration that a new project begins with. @throws MoultError ERR_USAGE_INVALID */
export async function initialConfig(
  dir: string,
  { name, agent, type }: { name?: string | undefined; agent?: string | undefined; type?: BuildType | undefined },
): Promise<Config> {
  const manifest = await readPackage(dir)
  const chosen = type ?? (SCRIPT_EXTENSIONS.includes(extname(agent ?? '')) ? 'script' : 'files')
  const version = await versionSource(dir, manifest.version)
  const config = {
    $schema: SCHEMA_REFERENCE,
    name: name ?? plainName(manifest.name ?? basename(resolve(dir))),
    ...(version === undefined ? {} : { version }),
    platforms: initialPlatforms(chosen),
    build: initialBuild(chosen, agent),
    publish: { type: 'directory', path: DEFAULT_PUBLISH_PATH },
  }
  try {
    nameShape.check(config.name, 'name')
    return configShape.check(config, '')
  } catch (cause) {
    throw new MoultError('ERR_USAGE_INVALID', (cause as Error).message, {
      hint: 'Give a name with --name and an agent with --agent.',
      cause,
    })
  }
}

/** Written down, so that nobody has to look them up. What is compiled or found is only here for this machine at first. */
function initialPlatforms(type: BuildType): string[] {
  const isOne = type === 'command' || type === 'files'
  return isOne ? [platformOf(process.platform, process.arch)] : [...DEFAULT_PLATFORMS]
}

function initialBuild(type: BuildType, agent: string | undefined): BuildConfig {
  switch (type) {
    case 'command':
      return { type, command: agent ?? 'make {out}' }
    case 'files':
      return { type, path: agent ?? 'bin/{name}-{os}-{arch}{exe}' }
    case 'script':
    case 'node':
      return { type, entry: agent ?? 'src/main.ts' }
    case 'directory':
      return { type, path: 'out/{platform}', entry: agent ?? 'bin/agent' }
  }
}

async function versionSource(dir: string, packageVersion: string | undefined): Promise<Config['version']> {
  if (packageVersion !== undefined && isVersion(packageVersion)) return { from: 'package.json' }
  const isRepository = await stat(join(dir, '.git')).then(
    () => true,
    () => false,
  )
  return isRepository ? { from: 'git-tag' } : undefined
}

async function readPackage(dir: string): Promise<{ name?: string; version?: string }> {
  try {
    const { name, version } = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8')) as Record<string, unknown>
    return {
      ...(typeof name === 'string' ? { name } : {}),
      ...(typeof version === 'string' ? { version } : {}),
    }
  } catch {
    return {}
  }
}

/** `@scope/My Agent` becomes `my-agent`. */
function plainName(text: string): string {
  const name = text
    .replace(/^@[^/]*\//, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 64)
  return name === '' ? 'agent' : name
}
