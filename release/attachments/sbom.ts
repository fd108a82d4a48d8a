import { sha256 } from '../../manifests/index.ts'
import type { Artifact } from '../stage-artifacts.ts'
import { type Attachment, jsonAttachment } from './attachment.ts'
import type { Component, LockedPackages } from './lock-packages.ts'

export interface SbomFacts {
  readonly name: string
  readonly version: string
  readonly artifacts: readonly Artifact[]
  /** Undefined for a project without them. */
  readonly packages: LockedPackages | undefined
  /** Version of the Node inside the artifacts, where there is one. */
  readonly node?: string | undefined
}

/**
 * A bill of materials in CycloneDX 1.5: the artifacts with their hashes, the Node inside them, and the packages that
 * package-lock.json pins. The same release gives the same bytes, so there is no time in it.
 */
export function makeSbom({ name, version, artifacts, packages, node }: SbomFacts): Attachment {
  const root = `${name}@${version}`
  const runtime: Component[] =
    node === undefined
      ? []
      : [{ type: 'platform', 'bom-ref': `node@${node}`, name: 'node', version: node, purl: `pkg:generic/node@${node}` }]
  const files = artifacts.map((artifact): Component => ({
    type: 'file',
    'bom-ref': `${root}/${artifact.platform}`,
    name: `${name}-${artifact.platform}`,
    version,
    hashes: [{ alg: 'SHA-256', content: artifact.file.sha256 }],
    properties: [{ name: 'moult:platform', value: artifact.platform }],
  }))
  const direct = [...runtime.map((each) => each['bom-ref']), ...(packages?.direct ?? [])]
  const dependencies = [
    { ref: root, dependsOn: direct },
    ...files.map((file) => ({ ref: file['bom-ref'], dependsOn: [root] })),
    ...(packages?.components ?? []).map(({ 'bom-ref': ref }) => ({
      ref,
      dependsOn: packages?.dependsOn.get(ref) ?? [],
    })),
  ]
  const content = {
    version: 1,
    metadata: {
      tools: { components: [{ type: 'application', name: 'moult' }] },
      component: { type: 'application', 'bom-ref': root, name, version },
    },
    components: [...files, ...runtime, ...(packages?.components ?? [])],
    dependencies: dependencies.map(({ ref, dependsOn }) => (dependsOn.length === 0 ? { ref } : { ref, dependsOn })),
  }
  return jsonAttachment('sbom', {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(content)}`,
    ...content,
  })
}

/** A UUID of version 8 (RFC 9562), made of the content: the same content is the same document. */
function uuidOf(content: object): string {
  const hex = sha256(Buffer.from(JSON.stringify(content)))
  const variant = (8 + (Number.parseInt(hex.charAt(16), 16) % 4)).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}
