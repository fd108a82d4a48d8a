import {
  type Attachment as NamedAttachment,
  type Binary,
  DELTA_ENCODING,
  DOWNLOADS_MAX,
  formatDate,
  type JsonObject,
  RELEASE_FORMAT,
  RELEASE_UNSIGNED,
} from '../manifests/index.ts'
import type { Attachment } from './attachments/attachment.ts'
import type { CompressedArtifact } from './compress-artifacts.ts'
import { artifactPath, attachmentPath, deltaPath, urlOf } from './layout.ts'
import type { Project } from './open-project.ts'
import { signDocument } from './sign.ts'

/** What a release says besides its bytes. */
export interface ReleaseNotes {
  readonly changelog?: string | undefined
  readonly minVersion?: string | undefined
  readonly rollbackFloor?: string | undefined
  readonly containerImage?: string | undefined
}

export interface ReleaseFacts extends ReleaseNotes {
  readonly version: string
  readonly baseUrl?: string | undefined
}

/** The release statement, signed by the release role: this version is these bytes. */
export async function makeRelease(
  artifacts: readonly CompressedArtifact[],
  attachments: readonly Attachment[],
  facts: ReleaseFacts,
  project: Project,
  now: number,
): Promise<JsonObject> {
  const binaries = artifacts.map((artifact) => [artifact.platform, binaryOf(artifact, facts, project.name)] as const)
  const document = {
    format: RELEASE_FORMAT,
    name: project.name,
    version: facts.version,
    release_date: formatDate(now),
    ...(facts.minVersion === undefined ? {} : { min_version: facts.minVersion }),
    ...(facts.rollbackFloor === undefined ? {} : { rollback_floor: facts.rollbackFloor }),
    ...(facts.changelog === undefined ? {} : { changelog: facts.changelog }),
    ...(facts.containerImage === undefined ? {} : { container_image: facts.containerImage }),
    binaries: Object.fromEntries(binaries),
    ...(attachments.length === 0
      ? {}
      : { attachments: Object.fromEntries(attachments.map((each) => [each.name, attachmentOf(each, facts)])) }),
  }
  return signDocument(document as JsonObject, RELEASE_UNSIGNED, project.signers.release)
}

function attachmentOf({ fileName, sha256, size }: Attachment, facts: ReleaseFacts): NamedAttachment {
  return { url: urlOf(attachmentPath(facts.version, fileName), facts.baseUrl), sha256, size }
}

function binaryOf(artifact: CompressedArtifact, facts: ReleaseFacts, name: string): Binary {
  const { platform, file, entry, hooks, brotli, deltas = [] } = artifact
  const url = (encoding?: string): string => urlOf(artifactPath(name, facts.version, platform, encoding), facts.baseUrl)
  const downloads = [
    ...(brotli === undefined ? [] : [{ url: url('br'), size: brotli.size, sha256: brotli.sha256, encoding: 'br' }]),
    ...deltas.map(({ base, from, size, sha256 }) => ({
      url: urlOf(deltaPath(name, facts.version, platform, base), facts.baseUrl),
      size,
      sha256,
      encoding: DELTA_ENCODING,
      from,
    })),
  ].slice(0, DOWNLOADS_MAX)
  return {
    url: url(),
    sha256: file.sha256,
    size: file.size,
    ...(entry === undefined ? {} : { unpack: 'tar' as const, entry }),
    ...(hooks === undefined ? {} : { hooks }),
    ...(downloads.length === 0 ? {} : { downloads }),
  }
}
