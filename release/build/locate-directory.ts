import { constants } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { type Hooks, MoultError, type Platform } from '../../manifests/index.ts'
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
  const hooks = await locateHooks(build, path, platform)
  return { kind: 'tree', platform, path, entry: build.entry, ...(hooks === undefined ? {} : { hooks }) }
}

/** The hooks by their names in the release; undefined when there is none. */
async function locateHooks(
  { hooks = {} }: DirectoryBuild,
  tree: string,
  platform: Platform,
): Promise<Hooks | undefined> {
  const { preUpdate, postUpdate } = hooks
  for (const [member, hook] of Object.entries(hooks)) {
    const path = join(tree, hook)
    await checkExecutable(path, platform, `\`build.hooks.${member}\` names a program inside the tree.`)
    // The entry becomes executable wherever it is unpacked; everything else keeps what it has.
    if (((await lstat(path)).mode & constants.S_IXUSR) !== 0 || process.platform === 'win32') continue
    throw new MoultError('ERR_BUILD_FAILED', `not executable: ${path}`, {
      hint: 'Agents could not run it: chmod +x.',
      details: { platform, path },
    })
  }
  if (preUpdate === undefined && postUpdate === undefined) return undefined
  return {
    ...(preUpdate === undefined ? {} : { pre_update: preUpdate }),
    ...(postUpdate === undefined ? {} : { post_update: postUpdate }),
  }
}
