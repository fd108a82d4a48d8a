import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { BuildConfig } from '../config.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Built, BuildTask } from './build-artifacts.ts'

type ScriptBuild = Extract<BuildConfig, { type: 'script' }>

/** Bundles a Node agent into one executable file for the Node of the host. @throws MoultError ERR_BUILD_FAILED */
export async function buildScript(build: ScriptBuild, task: BuildTask, around: Surroundings): Promise<Built> {
  const { project, platform, values, scratch } = task
  const { bundleScript } = await import('./bundle-script.ts')
  const text = await bundleScript({
    entry: build.entry,
    version: values.version,
    platform,
    cwd: project.dir,
    log: (line) => around.on({ kind: 'output', platform, text: line }),
    ...(build.minify === undefined ? {} : { minify: build.minify }),
  })
  const path = join(scratch, project.name)
  await mkdir(scratch, { recursive: true })
  await writeFile(path, text, { mode: 0o755 })
  return { kind: 'file', platform, path }
}
