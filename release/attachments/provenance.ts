import type { Config } from '../config.ts'
import type { CompressedArtifact } from '../compress-artifacts.ts'
import { type Attachment, jsonAttachment } from './attachment.ts'
import type { BuildOrigin } from './build-origin.ts'

export interface ProvenanceFacts {
  readonly name: string
  readonly version: string
  readonly artifacts: readonly CompressedArtifact[]
  readonly build: Config['build']['type']
  readonly origin: BuildOrigin
}

/**
 * An in-toto statement (v1) with SLSA provenance (v1): which bytes were built from which commit, by which job. It is as
 * good as the word of whoever holds the release key, which signs its hash with the release.
 */
export function makeProvenance({ name, version, artifacts, build, origin }: ProvenanceFacts): Attachment {
  const { source, inputs, builder, invocation } = origin
  return jsonAttachment('provenance', {
    _type: 'https://in-toto.io/Statement/v1',
    subject: artifacts.flatMap(({ platform, file, brotli }) => [
      { name: `${name}-${platform}`, digest: { sha256: file.sha256 } },
      ...(brotli === undefined ? [] : [{ name: `${name}-${platform}.br`, digest: { sha256: brotli.sha256 } }]),
    ]),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:moult:build:v1',
        externalParameters: { name, version, build, platforms: artifacts.map(({ platform }) => platform) },
        resolvedDependencies: [
          ...(source === undefined ? [] : [sourceOf(source)]),
          ...inputs.map((input) => ({ name: input.name, digest: { sha256: input.sha256 } })),
        ],
      },
      runDetails: {
        builder: { id: builder },
        ...(invocation === undefined ? {} : { metadata: { invocationId: invocation } }),
      },
    },
  })
}

function sourceOf({ uri, commit, isModified }: NonNullable<BuildOrigin['source']>): object {
  return {
    name: 'source',
    ...(uri === undefined ? {} : { uri }),
    digest: { gitCommit: commit },
    // Such a build cannot be made again from the commit.
    ...(isModified ? { annotations: { modified: true } } : {}),
  }
}
