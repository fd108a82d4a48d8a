import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { BuildConfig } from '../config.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Built, BuildTask } from './build-artifacts.ts'

type NodeBuild = Extract<BuildConfig, { type: 'node' }>

/** Makes a single executable of a Node agent with its own Node. @throws MoultError ERR_BUILD_FAILED */
export async function buildNode(build: NodeBuild, task: BuildTask, around: Surroundings): Promise<Built> {
  const { project, platform, values, scratch } = task
  const { buildNodeExecutable } = await import('./node-executable.ts')
  await mkdir(scratch, { recursive: true })
  const { path } = await buildNodeExecutable({
    entry: build.entry,
    version: values.version,
    platform,
    out: join(scratch, `${project.name}${values.exe}`),
    cwd: project.dir,
    identifier: project.name,
    // The flow has a step of its own for it.
    smoke: false,
    signal: around.signal,
    log: (text) => around.on({ kind: 'output', platform, text }),
    ...(build.minify === undefined ? {} : { minify: build.minify }),
    ...(build.nodeVersion === undefined ? {} : { nodeVersion: build.nodeVersion }),
  })
  return { kind: 'file', platform, path }
}
