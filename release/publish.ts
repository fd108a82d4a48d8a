import type { PublishPlan } from './plan-publish.ts'
import type { Project } from './open-project.ts'
import { step, type Surroundings } from './surroundings.ts'

/**
 * Writes what was planned. The order is an invariant: artifacts, then the release (its commit point) and the roots, then
 * the manifest, first as history and then for agents. A run that is killed anywhere leaves a live manifest that is whole
 * and names only files that exist, the manifest before it among them.
 * @throws MoultError ERR_PUBLISH_*
 */
export async function publish(
  plan: PublishPlan,
  { publisher }: Pick<Project, 'publisher'>,
  around: Surroundings,
): Promise<void> {
  for (const { path, action, source, size, sha256 } of plan.artifacts) {
    if (action === 'keep' || source === undefined) continue
    const onProgress = (doneBytes: number): void =>
      around.on({ kind: 'progress', step: 'publish', subject: path, doneBytes, totalBytes: size })
    await step(around, 'publish', path, () => publisher.putArtifact(path, { size, sha256, source }, onProgress))
  }
  for (const { path, action, bytes } of plan.documents) {
    if (action === 'keep') continue
    await step(around, 'publish', path, () => publisher.putDocument(path, bytes))
  }
  const { manifest, history = [] } = plan
  if (manifest === undefined) return
  const { bytes, size, sha256, attemptPath, path: live, replaces } = manifest
  // Before anybody can see it: its sequence stays used up when the read-back fails and the one before is put back.
  await publisher.putArtifact(attemptPath, { size, sha256, source: { bytes } })
  // Not as documents: a name that is the hash of its content says what has to be there, so that what is damaged is mended.
  for (const { path, ...file } of history)
    await step(around, 'publish', path, () => publisher.putArtifact(path, { ...file, source: { bytes: file.bytes } }))
  await step(around, 'publish', live, () => publisher.replaceManifest(live, bytes, replaces))
}
