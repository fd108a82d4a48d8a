// config -> build -> pack -> hash -> release document -> sign -> plan -> publish -> read back

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { assertReleasable } from './assert-releasable.ts'
import { assertVerifies } from './assert-verifies.ts'
import { buildArtifacts } from './build/build-artifacts.ts'
import { chooseVersion } from './choose-version.ts'
import { compressArtifacts } from './compress-artifacts.ts'
import { readLive } from './live.ts'
import { openProject } from './open-project.ts'
import { planPublish } from './plan-publish.ts'
import { publish } from './publish.ts'
import { readBack } from './read-back.ts'
import { makeRelease } from './release-document.ts'
import { type ReleaseOptions, termsOf } from './release-options.ts'
import { type ReleaseResult, resultOf } from './release-result.ts'
import { makeRollout } from './rollout-statement.ts'
import { settleRelease } from './settle-release.ts'
import { smokeTest } from './smoke-test.ts'
import { stageArtifacts } from './stage-artifacts.ts'
import { type ReleaseDeps, surroundingsOf } from './surroundings.ts'

/**
 * Builds, signs and publishes one version. With `plan` everything happens but the publishing: builds run, and nothing
 * in the published place changes.
 * @throws MoultError with the code of the step that failed
 */
export async function release(options: ReleaseOptions = {}, deps: ReleaseDeps = {}): Promise<ReleaseResult> {
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around)
  const terms = termsOf(options, project.config)
  const liveBefore = await readLive(project.publisher, project.roots[0], terms.channel)
  const version = await chooseVersion(options, liveBefore?.manifest.release.version, project, around)
  assertReleasable(version, liveBefore, around.now())

  const scratch = await mkdtemp(join(tmpdir(), 'moult-release-'))
  try {
    const built = await buildArtifacts(project, version, scratch, around)
    const staged = await stageArtifacts(built, scratch, around)
    await smokeTest(staged, project, version, around)
    const artifacts = await compressArtifacts(staged, project, around)

    const unlock = options.plan === true ? async () => {} : await project.publisher.lock()
    try {
      // Another release may have gone live while this one was built.
      const live = await readLive(project.publisher, project.roots[0], terms.channel)
      const now = around.now()
      assertReleasable(version, live, now)
      const fresh = await makeRelease(artifacts, { ...terms, version }, project, now)
      const settled = await settleRelease(fresh, artifacts, live, project, around)
      const rollout = await makeRollout(settled.document, terms, live, project, now)
      const plan = await planPublish({ ...terms, release: settled, rollout, artifacts, live }, project)
      assertVerifies(plan, terms.channel, live, project, now)
      if (options.plan !== true) {
        await publish(plan, project, around)
        await readBack(plan, terms, live, project, around)
      }
      return resultOf(plan, settled, rollout, terms, project, options.plan === true)
    } finally {
      await unlock()
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
