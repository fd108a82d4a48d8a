// read the workloads -> poll -> verify -> decide (as an agent) -> keep the state -> set the images

import {
  type Settings,
  type SettingsFile,
  update,
  type UpdateDeps,
  type UpdateResult,
  withLock,
} from '../agent/index.ts'
import {
  type Decision,
  formatDate,
  MoultError,
  parseContainerImage,
  type Platform,
  platformOf,
  type Release,
} from '../manifests/index.ts'
import type { Cluster } from './cluster.ts'
import { raiseFloor } from './raise-floor.ts'
import { isSameImage, runningVersion } from './running-version.ts'
import { type StatePlace, withState } from './state-home.ts'
import { type Container, findContainer, type Workload, type WorkloadName, workloadText } from './workload.ts'

export interface SyncOptions {
  readonly workloads: readonly WorkloadName[]
  /** Default: the only one of each workload. */
  readonly container?: string | undefined
  /** The version of a workload that does not tell what it runs. */
  readonly running?: string | undefined
  readonly place: StatePlace
  readonly overrides?: Partial<SettingsFile>
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Of the nodes; default: linux, on processors like that of this machine. The release MUST have an artifact for it. */
  readonly platform?: Platform | undefined
  /** Decide, and change nothing in the cluster. */
  readonly isPlan?: boolean
}

/** Plain data, as `--json` prints it. */
export interface SyncResult {
  readonly kind: 'synced' | 'planned'
  readonly name: string
  readonly channel: string
  readonly offered: string
  readonly sequence: number
  /** Absent where the release names none. */
  readonly image?: string
  readonly workloads: readonly SyncedWorkload[]
}

export interface SyncedWorkload {
  readonly workload: string
  readonly namespace: string
  readonly container: string
  readonly running: string
  readonly image: string
  /** `set`: its image was replaced, or would be. */
  readonly action: 'set' | 'keep' | 'wait' | 'refuse'
  readonly reason?: string
  /** RFC 3339 date of the next stage or window. */
  readonly until?: string
}

interface Target {
  readonly workload: Workload
  readonly container: Container
  readonly running: string
}

type Checked = Extract<UpdateResult, { kind: 'checked' }>

/** @throws MoultError ERR_CLUSTER_*, or what a poll throws; images that were not set yet then stay */
export async function syncImages(options: SyncOptions, cluster: Cluster, deps: UpdateDeps): Promise<SyncResult> {
  const { place, overrides = {}, env = {}, isPlan = false, platform = platformOf('linux', process.arch) } = options
  const targets = await readTargets(options, cluster)
  return withState(cluster, { place, overrides, env, isPlan }, (settings, save) =>
    withLock(settings.home, async () => {
      if (!settings.enabled) throw new MoultError('ERR_POLICY_REFUSED', 'updates are switched off by the settings')
      const checks: { target: Target; found: Checked }[] = []
      for (const target of targets) {
        const found = await update(settings, { apply: false, running: target.running, platform }, deps)
        if (found.kind !== 'checked') throw new MoultError('ERR_BUG', 'installed what was only to be looked at')
        if (found.decision.kind === 'up-to-date' && target.workload.isRolledOut)
          raiseFloor(settings, target.running, found.manifest)
        checks.push({ target, found })
      }
      // What was learned is durable before anything is changed.
      await save()
      const workloads: SyncedWorkload[] = []
      for (const check of checks) workloads.push(await bring(check, cluster, isPlan))
      return resultOf(settings, checks, workloads, isPlan)
    }),
  )
}

/** All of them first: a name that is wrong is found before anything is changed. */
async function readTargets({ workloads, container, running }: SyncOptions, cluster: Cluster): Promise<Target[]> {
  const targets: Target[] = []
  for (const name of workloads) {
    const workload = await cluster.workload(name)
    const found = findContainer(workload, container)
    targets.push({ workload, container: found, running: runningVersion(workload, found, running) })
  }
  return targets
}

async function bring(
  { target, found }: { target: Target; found: Checked },
  cluster: Cluster,
  isPlan: boolean,
): Promise<SyncedWorkload> {
  const { workload, container, running } = target
  const facts = {
    workload: workloadText(workload),
    namespace: cluster.namespace,
    container: container.name,
    running,
    image: container.image,
  }
  const { decision } = found
  if (decision.kind === 'up-to-date') return { ...facts, action: 'keep' }
  if (decision.kind !== 'install') return { ...facts, action: decision.kind, ...reasonOf(decision) }
  const { version } = decision
  const image = imageOf(decision.release)
  if (isSameImage(container.image, image)) return { ...facts, action: 'keep' }
  if (!isPlan) await cluster.setImage(workload, { container: container.name, image, version })
  return { ...facts, image, action: 'set', reason: decision.reason }
}

function reasonOf(decision: Exclude<Decision, { kind: 'up-to-date' | 'install' }>): { reason: string; until?: string } {
  const untilMs = decision.kind === 'wait' ? decision.untilMs : undefined
  return { reason: decision.reason, ...(untilMs === undefined ? {} : { until: formatDate(untilMs) }) }
}

/** @throws MoultError ERR_POLICY_REFUSED for a release whose image a tag alone decides: whoever moves it changes the cluster */
function imageOf({ container_image: image, version }: Release): string {
  if (image !== undefined && parseContainerImage(image) !== undefined) return image
  const reason = image === undefined ? 'names no container image' : 'names an image without a digest'
  throw new MoultError('ERR_POLICY_REFUSED', `${reason}: ${version}`, {
    hint: 'Release with --container-image <repository>@sha256:<digest>.',
    details: { version, image: image ?? null },
  })
}

function resultOf(
  { channel }: Settings,
  checks: readonly { found: Checked }[],
  workloads: readonly SyncedWorkload[],
  isPlan: boolean,
): SyncResult {
  const last = checks.at(-1)
  if (last === undefined) throw new MoultError('ERR_USAGE_INVALID', 'no workload is named')
  const { release, rollout } = last.found.manifest
  return {
    kind: isPlan ? 'planned' : 'synced',
    name: release.name,
    channel,
    offered: release.version,
    sequence: rollout.sequence,
    ...(release.container_image === undefined ? {} : { image: release.container_image }),
    workloads,
  }
}
