import { join } from 'node:path'

import type { Hooks, Platform } from '../../manifests/index.ts'
import type { BuildConfig } from '../config.ts'
import { mapBounded } from '../map-bounded.ts'
import type { Project } from '../open-project.ts'
import { step, type Surroundings } from '../surroundings.ts'
import { type Placeholders, placeholdersOf } from '../template.ts'
import { buildCommand } from './build-command.ts'
import { buildNode } from './build-node.ts'
import { buildScript } from './build-script.ts'
import { locateDirectory } from './locate-directory.ts'
import { locateFile } from './locate-file.ts'

/** What a build left: one executable file, or a tree with its entry. */
export type Built =
  | { readonly kind: 'file'; readonly platform: Platform; readonly path: string }
  | {
      readonly kind: 'tree'
      readonly platform: Platform
      readonly path: string
      readonly entry: string
      readonly hooks?: Hooks
    }

/** One build: the platform, its placeholders, and a private folder that is gone after the release. */
export interface BuildTask {
  readonly project: Project
  readonly platform: Platform
  readonly values: Placeholders
  readonly scratch: string
}

/**
 * Builds every platform, some at a time. The first failure stops the others and is the one reported.
 * @throws MoultError ERR_BUILD_FAILED or ERR_CONFIG_INVALID
 */
export function buildArtifacts(
  project: Project,
  version: string,
  scratch: string,
  around: Surroundings,
): Promise<Built[]> {
  return mapBounded(project.platforms, project.config.jobs, around, (platform, inner) => {
    const values = placeholdersOf(project.name, version, platform)
    const task: BuildTask = { project, platform, values, scratch: join(scratch, 'build', platform) }
    return step(inner, 'build', platform, () => buildOne(project.config.build, task, inner))
  })
}

function buildOne(build: BuildConfig, task: BuildTask, around: Surroundings): Promise<Built> {
  switch (build.type) {
    case 'command':
      return buildCommand(build, task, around)
    case 'files':
      return locateFile(build, task)
    case 'script':
      return buildScript(build, task, around)
    case 'node':
      return buildNode(build, task, around)
    case 'directory':
      return locateDirectory(build, task)
  }
}
