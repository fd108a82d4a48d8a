// config -> build -> pack -> hash -> compress -> deltas -> deliver (release document -> sign -> plan -> publish -> read back)

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { assertClock } from './assert-clock.ts'
import { assertBounds, assertReleasable } from './assert-releasable.ts'
import { readBuildOrigin } from './attachments/build-origin.ts'
import { makeAttachments } from './attachments/make-attachments.ts'
import { buildArtifacts } from './build/build-artifacts.ts'
import { chooseVersion } from './choose-version.ts'
import { compressArtifacts } from './compress-artifacts.ts'
import { readFleetVersions } from './deltas/fleet-versions.ts'
import { makeDeltas } from './deltas/make-deltas.ts'
import { deliver } from './deliver.ts'
import { readLive } from './live.ts'
import { openProject } from './open-project.ts'
import { makeRelease } from './release-document.ts'
import { type ReleaseOptions, termsOf } from './release-options.ts'
import type { ReleaseResult } from './release-result.ts'
import { assertOfferable, draftRollout } from './rollout/draft-rollout.ts'
import { signRollout } from './rollout-statement.ts'
import { settleRelease } from './settle-release.ts'
import { smokeTest } from './smoke-test.ts'
import { stageArtifacts } from './stage-artifacts.ts'
import { type ReleaseDeps, surroundingsOf } from './surroundings.ts'

/**
 * Builds, signs and publishes one version. Without `rollout` all but the manifest: `setRollout` finishes that, on a
 * machine that has the rollout key and need not have the release key. With `plan` everything happens but the publishing: builds run, and nothing
 * in the published place changes.
 * @throws MoultError with the code of the step that failed
 */
export async function release(options: ReleaseOptions = {}, deps: ReleaseDeps = {}): Promise<ReleaseResult> {
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around, options.rollout === false ? ['release'] : undefined)
  await assertClock(project, around)
  const terms = termsOf(options, project.config)
  // That it is not what it should be is said before a build, which may take minutes.
  const fleetFile = terms.deltas?.fleetFile
  const fleetVersions = fleetFile === undefined ? [] : await readFleetVersions(fleetFile, project.name)
  const liveBefore = await readLive(project.publisher, project.roots[0], terms.channel)
  const version = await chooseVersion(options, liveBefore?.manifest.release.version, project, around)
  assertReleasable(version, liveBefore, around.now())
  if (options.rollout !== false) await assertOfferable(version, terms, liveBefore, project, around.now())
  assertBounds(version, { 'min-version': terms.minVersion, 'rollback-floor': terms.rollbackFloor })

  const scratch = await mkdtemp(join(tmpdir(), 'moult-release-'))
  try {
    const origin = project.config.attest === false ? undefined : await readBuildOrigin(project, options.config, around)
    const built = await buildArtifacts(project, version, scratch, around)
    const staged = await stageArtifacts(built, scratch, around)
    await smokeTest(staged, project, version, scratch, around)
    const compressed = await compressArtifacts(staged, project, around)
    const target = { ...terms, version, live: liveBefore, fleetVersions }
    const artifacts = await makeDeltas(compressed, target, terms.deltas, project, scratch, around)
    const attachments = makeAttachments(artifacts, origin, { ...terms, version }, project, around)

    return await deliver({ ...terms, version, isPlan: options.plan === true }, project, around, async (live, now) => {
      const fresh = await makeRelease(artifacts, attachments, { ...terms, version }, project, now)
      const settled = await settleRelease(fresh, artifacts, live, project, around)
      const isOffered = options.rollout !== false && !settled.isLive
      const rollout = isOffered
        ? await signRollout(await draftRollout(settled, terms, live, project, around, now), project)
        : undefined
      return { release: settled, rollout, artifacts, attachments }
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
