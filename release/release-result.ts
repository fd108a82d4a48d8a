import { type Hooks, type JsonObject, parseDate, type Release, type Rollout, type Stage } from '../manifests/index.ts'
import type { PlannedFeed } from './audit/plan-feed.ts'
import type { Delivery, DeliveryTarget } from './deliver.ts'
import { manifestPath } from './layout.ts'
import type { Project } from './open-project.ts'
import type { PlannedFile, PublishPlan } from './plan-publish.ts'
import { describeFlags, describeRule } from './rollout/rule-words.ts'

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
    readonly spread?: string
    readonly poll?: string
    readonly paused?: boolean
    /** In plain words. */
    readonly rules?: readonly string[]
    readonly flags?: readonly string[]
    /** The version that agents are offered which this one is held back from. */
    readonly fallback?: string
    /** Versions that have to go back to this one. */
    readonly rollback?: readonly string[]
  }
  /** What agents run of it at the update, by platform; absent when there is nothing. */
  readonly hooks?: Readonly<Record<string, Hooks>>
  /** In the order of writing; the manifest comes last of what agents need, and the feed after it. */
  readonly files: readonly PlannedFile[]
}

export function resultOf(
  plan: PublishPlan,
  { release: settled, rollout }: Delivery,
  { channel, isPlan }: DeliveryTarget,
  { name, publisher }: Project,
  feed: PlannedFeed | undefined,
): ReleaseResult {
  const { manifest, history = [] } = plan
  const files = [
    ...plan.artifacts,
    ...plan.documents,
    ...history,
    ...(manifest === undefined ? [] : [{ ...manifest, action: 'write' as const }]),
    ...(feed === undefined ? [] : [feed]),
  ].map(({ path, size, sha256, action }) => ({ path, size, sha256, action }))
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

function rolloutFacts(statement: JsonObject): NonNullable<ReleaseResult['rollout']> {
  const { sequence, stages, issued, expires, spread, poll, paused, rules, flags, fallback, rollback } =
    statement as unknown as Rollout
  const now = parseDate(issued) ?? 0
  return {
    sequence,
    stages,
    issued,
    expires,
    ...(spread === undefined ? {} : { spread }),
    ...(poll === undefined ? {} : { poll }),
    ...(paused === undefined ? {} : { paused }),
    ...(rules === undefined ? {} : { rules: rules.map((rule) => describeRule(rule, now)) }),
    ...(flags === undefined ? {} : { flags: describeFlags(flags) }),
    ...(fallback === undefined ? {} : { fallback: fallback.version }),
    ...(rollback === undefined ? {} : { rollback }),
  }
}
