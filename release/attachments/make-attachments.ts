import { DEFAULT_NODE_VERSION } from '../build/node-packages.ts'
import type { CompressedArtifact } from '../compress-artifacts.ts'
import type { Config } from '../config.ts'
import type { Project } from '../open-project.ts'
import type { ReleaseFacts } from '../release-document.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Attachment } from './attachment.ts'
import { type BuildOrigin, LOCK_FILE } from './build-origin.ts'
import { makeHelmValues } from './helm-values.ts'
import { readLockPackages } from './lock-packages.ts'
import { makeProvenance } from './provenance.ts'
import { makeSbom } from './sbom.ts'

/**
 * What is published beside the artifacts of a release.
 * @param origin undefined where the configuration wants neither SBOM nor provenance
 */
export function makeAttachments(
  artifacts: readonly CompressedArtifact[],
  origin: BuildOrigin | undefined,
  { version, containerImage }: ReleaseFacts,
  { name, config }: Pick<Project, 'name' | 'config'>,
  around: Surroundings,
): Attachment[] {
  const values = containerImage === undefined ? [] : makeHelmValues(name, version, containerImage)
  if (origin === undefined) return values
  const packages = origin.lockText === undefined ? undefined : readLockPackages(origin.lockText)
  if (origin.lockText !== undefined && packages === undefined)
    around.on({ kind: 'note', text: `${LOCK_FILE} lists no packages as npm 7 and later do; the SBOM is without them.` })
  const facts = { name, version, artifacts }
  return [
    ...values,
    makeSbom({ ...facts, packages, node: nodeIn(config.build) }),
    makeProvenance({ ...facts, build: config.build.type, origin }),
  ]
}

function nodeIn(build: Config['build']): string | undefined {
  return build.type === 'node' ? (build.nodeVersion ?? DEFAULT_NODE_VERSION) : undefined
}
