import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { isMoultError, MoultError, type Platform, platformOf } from '../manifests/index.ts'
import type { BuildConfig } from './config.ts'
import { mapBounded } from './map-bounded.ts'
import type { Project } from './open-project.ts'
import type { Artifact } from './stage-artifacts.ts'
import { step, type Surroundings } from './surroundings.ts'

/** As long as an agent waits. */
const TIMEOUT_MS = 20_000

/** What is built in the run is told the version. Files and trees come from elsewhere, and may not know it. */
const IS_VERSION_KNOWN: Readonly<Record<BuildConfig['type'], boolean>> = {
  command: true,
  script: true,
  node: true,
  files: false,
  directory: false,
}

/**
 * Runs `<artifact> --version`, as agents do before they swap: a published version can never be replaced. By default that
 * of this machine's own platform; single executables and with `smoke: true` all that run here in any way.
 * @throws MoultError ERR_BUILD_FAILED
 */
export async function smokeTest(
  artifacts: readonly Artifact[],
  project: Project,
  version: string,
  scratch: string,
  around: Surroundings,
): Promise<void> {
  const { build, smoke, jobs } = project.config
  if (smoke === false) return
  const { smokeRun } = await import('./build/smoke-run.ts')
  const host = platformOf(process.platform, process.arch)
  const isEach = smoke === true || build.type === 'node'
  const isVersionShown = smoke === true || IS_VERSION_KNOWN[build.type]
  const chosen = artifacts.filter(({ platform }) => isEach || platform === host)
  await mapBounded(chosen, jobs, around, (artifact, inner) =>
    step(inner, 'smoke', artifact.platform, async () => {
      const path = await programOf(artifact, scratch)
      // An emulated program may be slow without anything being wrong with it.
      const timeout = artifact.platform === host ? { timeoutMs: TIMEOUT_MS } : {}
      const options = { signal: inner.signal, isVersionShown, ...timeout }
      await smokeRun(path, artifact.platform, version, options).catch((error: unknown) => {
        throw withWayOut(error, artifact.platform)
      })
    }),
  )
}

/** Of a tree, what an agent will unpack is run, and not what lies in the folder of the build. */
async function programOf({ platform, file, entry }: Artifact, scratch: string): Promise<string> {
  if (entry === undefined) return file.path
  const { extract } = await import('tar')
  const folder = join(scratch, 'smoke', platform)
  await mkdir(folder, { recursive: true })
  await extract({ file: file.path, cwd: folder, strict: true })
  return join(folder, entry)
}

function withWayOut(error: unknown, platform: Platform): unknown {
  if (!isMoultError(error) || error.code !== 'ERR_BUILD_FAILED') return error
  const { code, message, hint = '', details, cause } = error
  const wayOut = 'Agents run it so before they swap. `"smoke": false` in the configuration leaves this out.'
  return new MoultError(code, message, { hint: `${hint} ${wayOut}`.trim(), details: { ...details, platform }, cause })
}
