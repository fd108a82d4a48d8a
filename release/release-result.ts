import type { JsonObject, Stage } from '../manifests/index.ts'
import { manifestPath } from './layout.ts'
import type { Project } from './open-project.ts'
import type { PlannedFile, PublishPlan } from './plan-publish.ts'
import type { ReleaseTerms } from './release-options.ts'
import type { SettledRelease } from './settle-release.ts'

/** Plain data, as `--json` prints it. */
export interface ReleaseResult {
  /** `unchanged`: this version is live already with these bytes; its rollout was left as it is. */
  readonly kind: 'published' | 'planned' | 'unchanged'
  readonly name: string
  readonly version: string
  readonly channel: string
  /** Where it was published. */
  readonly target: string
  readonly manifest: string
  /** Of the new rollout statement; absent when unchanged. */
  readonly rollout?: {
    readonly sequence: number
    readonly stages: readonly Stage[]
    readonly issued: string
    readonly expires: string
  }
  /** In the order of writing, the manifest last. */
  readonly files: readonly PlannedFile[]
}

export function resultOf(
  plan: PublishPlan,
  settled: SettledRelease,
  rollout: JsonObject,
  terms: ReleaseTerms,
  { name, publisher }: Project,
  isPlan: boolean,
): ReleaseResult {
  const files = [...plan.artifacts, ...plan.documents].map(({ path, size, sha256, action }) => ({
    path,
    size,
    sha256,
    action,
  }))
  const { manifest } = plan
  if (manifest !== undefined)
    files.push({ path: manifest.path, size: manifest.size, sha256: manifest.sha256, action: 'write' })
  const { sequence, stages, issued, expires } = rollout as unknown as Required<ReleaseResult>['rollout']
  return {
    kind: isPlan ? 'planned' : settled.isLive ? 'unchanged' : 'published',
    name,
    version: settled.release.version,
    channel: terms.channel,
    target: publisher.target,
    manifest: manifestPath(terms.channel),
    ...(manifest === undefined ? {} : { rollout: { sequence, stages, issued, expires } }),
    files,
  }
}
