import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { execa } from 'execa'

import { compareVersions, isVersion, MoultError } from '../manifests/index.ts'
import type { VersionSource } from './config.ts'
import type { Project } from './open-project.ts'
import { withoutKeys } from './signers/open-signer.ts'
import type { Surroundings } from './surroundings.ts'

export interface VersionChoice {
  /** As given on the command line; a leading `v` is taken off, because git tags have it. */
  readonly version?: string | undefined
  /** The next patch after the live version. */
  readonly next?: boolean | undefined
}

/** @throws MoultError ERR_USAGE_INVALID or ERR_CONFIG_MISSING */
export async function chooseVersion(
  { version, next = false }: VersionChoice,
  live: string | undefined,
  project: Project,
  around: Surroundings,
): Promise<string> {
  if (version !== undefined) return checked(version, 'the version given')
  if (next && live !== undefined) return nextPatch(live)
  const source = project.config.version
  if (source === undefined) {
    throw new MoultError('ERR_CONFIG_MISSING', 'no version to release', {
      hint: 'Name one, as in `moult release 1.0.0`, or set `version` in the configuration.',
    })
  }
  return readSource(source, project, around)
}

/** A pre-release comes before the version it leads to: 1.2.0-rc.1 is followed by 1.2.0. */
export function nextPatch(version: string): string {
  const [core = '', prerelease] = version.split('+', 1)[0]?.split(/-(.*)/s, 2) ?? []
  if (prerelease !== undefined) return core
  const [major, minor, patch] = core.split('.')
  return `${major}.${minor}.${Number(patch) + 1}`
}

async function readSource(source: VersionSource, project: Project, around: Surroundings): Promise<string> {
  if (source.from === 'git-tag') return readGitTag(project, around)
  const path = resolve(project.dir, source.path ?? 'package.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_MISSING', `no version to release: ${path}`, {
      hint: 'Name one, as in `moult release 1.0.0`, or correct `version` in the configuration.',
      cause,
    })
  }
  return checked(source.from === 'file' ? text.trim() : versionOfPackage(text), path)
}

function versionOfPackage(text: string): string {
  try {
    const version = (JSON.parse(text) as { version?: unknown } | null)?.version
    return typeof version === 'string' ? version : ''
  } catch {
    return ''
  }
}

async function readGitTag({ dir, config }: Project, around: Surroundings): Promise<string> {
  const { stdout, failed, shortMessage } = await execa('git', ['tag', '--points-at', 'HEAD'], {
    cwd: dir,
    env: withoutKeys(around.env, config),
    extendEnv: false,
    cancelSignal: around.signal,
    reject: false,
  })
  const newest = stdout
    ?.split('\n')
    .map((tag) => tag.replace(/^v/, ''))
    .filter(isVersion)
    .toSorted(compareVersions)
    .at(-1)
  if (newest !== undefined) return newest
  throw new MoultError(
    'ERR_CONFIG_MISSING',
    failed ? `git fails: ${shortMessage}` : 'the commit has no tag that is a version',
    {
      hint: 'Tag it, as in `git tag v1.0.0`, or name the version, as in `moult release 1.0.0`.',
    },
  )
}

function checked(text: string, where: string): string {
  const version = text.replace(/^v(?=\d)/, '')
  if (isVersion(version)) return version
  throw new MoultError('ERR_USAGE_INVALID', `not a semantic version: ${JSON.stringify(text.slice(0, 64))} (${where})`, {
    hint: 'A version looks like 1.4.2 or 2.0.0-rc.1.',
  })
}
