import { isVersion, MoultError, parseImageReference } from '../manifests/index.ts'
import { type Container, type Workload, workloadText } from './workload.ts'

/** What the last sync has set. Both, so that the version counts only while nobody else has changed the image. */
export const VERSION_ANNOTATION = 'moult/version'
export const IMAGE_ANNOTATION = 'moult/image'
/** The label that Kubernetes recommends for the version of an application. */
const VERSION_LABEL = 'app.kubernetes.io/version'

/**
 * The version that a workload runs. An unknown one MUST NOT pass for none: nothing would hold an update back then, neither
 * stage nor window.
 * @param fallback what the caller knows, for a workload that says nothing
 * @throws MoultError ERR_CONFIG_MISSING
 */
export function runningVersion(workload: Workload, { image }: Container, fallback?: string): string {
  const { annotations = {}, labels } = workload
  const noted = annotations[IMAGE_ANNOTATION] === image ? annotations[VERSION_ANNOTATION] : undefined
  const told = [noted, parseImageReference(image)?.tag, labels[VERSION_LABEL], fallback]
  const version = told
    .map((text) => text?.replace(/^v(?=\d)/, ''))
    .find((text) => text !== undefined && isVersion(text))
  if (version !== undefined) return version
  throw new MoultError('ERR_CONFIG_MISSING', `no version tells what runs: ${workloadText(workload)}`, {
    hint: `Name it once with --running <version>, or set the label ${VERSION_LABEL}.`,
    details: { workload: workloadText(workload), image },
  })
}

/** Whether both references give the same bytes from the same place; a tag beside a digest means nothing. */
export function isSameImage(a: string, b: string): boolean {
  const [one, other] = [parseImageReference(a), parseImageReference(b)]
  return one?.digest !== undefined && one.digest === other?.digest && one.repository === other.repository
}
