import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { MoultError } from '../../manifests/index.ts'
import type { BuildConfig } from '../config.ts'
import { fillPath } from '../template.ts'
import type { Built, BuildTask } from './build-artifacts.ts'
import { checkExecutable } from './locate-file.ts'

type DirectoryBuild = Extract<BuildConfig, { type: 'directory' }>

/** A tree that is already built, with the program in it. @throws MoultError ERR_BUILD_FAILED */
export async function locateDirectory(build: DirectoryBuild, { project, platform, values }: BuildTask): Promise<Built> {
  const path = resolve(project.dir, fillPath(build.path, values))
  const facts = await lstat(path).catch(() => undefined)
  if (facts?.isDirectory() !== true) {
    throw new MoultError(
      'ERR_BUILD_FAILED',
      `${facts === undefined ? 'no such directory' : 'not a directory'}: ${path}`,
      {
        hint: 'Build it first, or correct build.path in the configuration.',
        details: { platform, path },
      },
    )
  }
  await checkExecutable(join(path, build.entry), platform, '`build.entry` names the program inside the tree.')
  return { kind: 'tree', platform, path, entry: build.entry }
}
