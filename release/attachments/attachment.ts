import { sha256 } from '../../manifests/index.ts'
import type { Digest } from '../durable-files.ts'

/** Names under which a release lists what is beside its artifacts, and the names of those files. */
export const ATTACHMENT_FILES = {
  helm_values: 'helm-values.yaml',
  sbom: 'sbom.cdx.json',
  provenance: 'provenance.intoto.json',
} as const

/** A small file that the release names and signs with its hash; agents pass over it. */
export interface Attachment extends Digest {
  readonly name: keyof typeof ATTACHMENT_FILES
  readonly fileName: string
  readonly bytes: Uint8Array
}

export function attachmentOf(name: Attachment['name'], text: string): Attachment {
  const bytes = new TextEncoder().encode(text)
  return { name, fileName: ATTACHMENT_FILES[name], bytes, size: bytes.length, sha256: sha256(bytes) }
}

/** JSON as it is published: indented, as people read these files. */
export function jsonAttachment(name: Attachment['name'], value: object): Attachment {
  return attachmentOf(name, `${JSON.stringify(value, undefined, 2)}\n`)
}
