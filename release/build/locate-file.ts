import { lstat } from 'node:fs/promises'
import { resolve } from 'node:path'

import { isMoultError, MoultError, type Platform } from '../../manifests/index.ts'
import type { BuildConfig } from '../config.ts'
import { fillPath } from '../template.ts'
import type { Built, BuildTask } from './build-artifacts.ts'
import { assertPlatform, type ExecutableFacts, inspectExecutable } from './inspect-executable.ts'

type FilesBuild = Extract<BuildConfig, { type: 'files' }>

/** An executable that is already built. @throws MoultError ERR_BUILD_FAILED */
export async function locateFile(build: FilesBuild, { project, platform, values }: BuildTask): Promise<Built> {
  const path = resolve(project.dir, fillPath(build.path, values))
  await checkExecutable(path, platform, 'Build it first, or correct build.path in the configuration.')
  return { kind: 'file', platform, path }
}

/** A regular file with something in it, and not a program of another platform. */
export async function checkExecutable(path: string, platform: Platform, hintIfMissing: string): Promise<void> {
  const facts = await lstat(path).catch(() => undefined)
  const fail = (reason: string, hint: string): never => {
    throw new MoultError('ERR_BUILD_FAILED', `${reason}: ${path}`, { hint, details: { platform, path } })
  }
  if (facts === undefined) return fail('no such file', hintIfMissing)
  if (facts.isSymbolicLink())
    return fail('a symbolic link', 'Name the file itself: a link can change between hash and upload.')
  if (!facts.isFile()) return fail('not a regular file', 'Use the build type `directory` for a tree.')
  if (facts.size === 0) return fail('an empty file', hintIfMissing)
  if ((await formatOf(path)) !== 'script') await assertPlatform(path, platform)
}

/** Programs of a format that Moult does not know are taken as they are, like scripts: an agent may be anything. */
async function formatOf(path: string): Promise<ExecutableFacts['format']> {
  try {
    return (await inspectExecutable(path)).format
  } catch (error) {
    if (isMoultError(error)) return 'script'
    throw error
  }
}
