import { type ContainerImage, parseContainerImage } from '../../manifests/index.ts'
import { type Attachment, attachmentOf } from './attachment.ts'

/**
 * Values for a chart that takes its image by digest, as `helm upgrade --values` reads them.
 * @param image by its digest: the options of a release let no other in
 */
export function makeHelmValues(name: string, version: string, image: string): Attachment[] {
  const parsed = parseContainerImage(image)
  return parsed === undefined ? [] : [attachmentOf('helm_values', valuesText(name, version, parsed, image))]
}

function valuesText(name: string, version: string, { repository, tag, digest }: ContainerImage, image: string): string {
  // Digest and version in quotes: YAML would take 1.10 for the number 1.1.
  return `# ${name} ${version}. The digest decides; the tag is for people.
image:
  repository: ${JSON.stringify(repository)}
  tag: ${JSON.stringify(tag ?? version)}
  digest: ${JSON.stringify(digest)}
  reference: ${JSON.stringify(image)}
appVersion: ${JSON.stringify(version)}
`
}
