import type { ImageChange } from './cluster.ts'
import { IMAGE_ANNOTATION, VERSION_ANNOTATION } from './running-version.ts'
import type { Workload } from './workload.ts'

export type JsonPatch = readonly {
  readonly op: 'test' | 'add' | 'replace'
  readonly path: string
  readonly value: unknown
}[]

/**
 * A JSON Patch (RFC 6902) that sets the image and notes the version. Its tests make it fail as a whole where the workload
 * has changed in what matters; a plain merge would add a container that somebody has just removed.
 */
export function imagePatch(workload: Workload, { container, image, version }: ImageChange): JsonPatch {
  const index = workload.containers.findIndex(({ name }) => name === container)
  const path = `/spec/template/spec/containers/${index}`
  const noted = { [VERSION_ANNOTATION]: version, [IMAGE_ANNOTATION]: image }
  return [
    { op: 'test', path: `${path}/name`, value: container },
    { op: 'test', path: `${path}/image`, value: workload.containers[index]?.image },
    { op: 'replace', path: `${path}/image`, value: image },
    ...(workload.annotations === undefined
      ? [
          // The whole object is added, and would take annotations away that came since.
          { op: 'test' as const, path: '/metadata/resourceVersion', value: workload.resourceVersion },
          { op: 'add' as const, path: '/metadata/annotations', value: noted },
        ]
      : Object.entries(noted).map(([name, value]) => ({
          op: 'add' as const,
          path: `/metadata/annotations/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
          value,
        }))),
  ]
}
