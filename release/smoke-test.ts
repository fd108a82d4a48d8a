import { mapBounded } from './map-bounded.ts'
import type { Project } from './open-project.ts'
import type { Artifact } from './stage-artifacts.ts'
import { step, type Surroundings } from './surroundings.ts'

/**
 * Runs `<artifact> --version` where it runs on this machine. A single executable that was put together wrongly may exit
 * 0 and do nothing, so for them it is the default. @throws MoultError ERR_BUILD_FAILED
 */
export async function smokeTest(
  artifacts: readonly Artifact[],
  project: Project,
  version: string,
  around: Surroundings,
): Promise<void> {
  if (!(project.config.smoke ?? project.config.build.type === 'node')) return
  const { smokeRun } = await import('./build/smoke-run.ts')
  const programs = artifacts.filter(({ entry }) => entry === undefined)
  await mapBounded(programs, project.config.jobs, around, ({ file, platform }, inner) =>
    step(inner, 'smoke', platform, () => smokeRun(file.path, platform, version, { signal: inner.signal })),
  )
}
