import type { Hooks, JsonObject, Release, Stage } from '../manifests/index.ts'
import type { Delivery, DeliveryTarget } from './deliver.ts'
import { manifestPath } from './layout.ts'
import type { Project } from './open-project.ts'
import type { PlannedFile, PublishPlan } from './plan-publish.ts'

/** Plain data, as `--json` prints it. */
export interface ReleaseResult {
  /**
   * `unchanged`: this version is live already with these bytes; its rollout was left as it is. `prepared`: everything
   * is there but the manifest, so nobody gets it yet.
   */
  readonly kind: 'published' | 'planned' | 'unchanged' | 'prepared'
  readonly name: string
  readonly version: string
  readonly channel: string
  /** Where it was published. */
  readonly target: string
  readonly manifest: string
  /** Of the new rollout statement; absent when there is none. */
  readonly rollout?: {
    readonly sequence: number
    readonly stages: readonly Stage[]
    readonly issued: string
    readonly expires: string
  }
  /** What agents run of it at the update, by platform; absent when there is nothing. */
  readonly hooks?: Readonly<Record<string, Hooks>>
  /** In the order of writing, the manifest last. */
  readonly files: readonly PlannedFile[]
}

export function resultOf(
  plan: PublishPlan,
  { release: settled, rollout }: Delivery,
  { channel, isPlan }: DeliveryTarget,
  { name, publisher }: Project,
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
  const done = manifest !== undefined ? 'published' : settled.isLive ? 'unchanged' : 'prepared'
  return {
    kind: isPlan ? 'planned' : done,
    name,
    version: settled.release.version,
    channel,
    target: publisher.target,
    manifest: manifestPath(channel),
    ...(rollout === undefined ? {} : { rollout: rolloutFacts(rollout) }),
    ...hooksOf(settled.release),
    files,
  }
}

/** The hooks of a release by platform, as a member of a result; none where there are none. */
export function hooksOf({ binaries }: Release): { readonly hooks?: Readonly<Record<string, Hooks>> } {
  const hooks = Object.entries(binaries).flatMap(([platform, binary]) =>
    binary.hooks === undefined ? [] : [[platform, binary.hooks] as const],
  )
  return hooks.length === 0 ? {} : { hooks: Object.fromEntries(hooks) }
}

function rolloutFacts(rollout: JsonObject): NonNullable<ReleaseResult['rollout']> {
  const { sequence, stages, issued, expires } = rollout as unknown as NonNullable<ReleaseResult['rollout']>
  return { sequence, stages, issued, expires }
}
