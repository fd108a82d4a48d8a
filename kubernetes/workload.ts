// A workload of Kubernetes as this side sees it: which image it asks for, and how to name it.

import { MoultError, nearestName } from '../manifests/index.ts'

export const WORKLOAD_KINDS = ['deployment', 'statefulset', 'daemonset'] as const
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number]

export interface WorkloadName {
  readonly kind: WorkloadKind
  readonly name: string
}

export interface Container {
  readonly name: string
  readonly image: string
}

export interface Workload extends WorkloadName {
  readonly resourceVersion: string
  /** Undefined where it has none at all, which is not the same as none of ours. */
  readonly annotations: Readonly<Record<string, string>> | undefined
  readonly labels: Readonly<Record<string, string>>
  /** In the order of the pod template; those that run before the others are not among them. */
  readonly containers: readonly Container[]
  /** Whether every pod is of the present template and available. */
  readonly isRolledOut: boolean
}

const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

/** Reads `deployment/web`. @throws MoultError ERR_USAGE_INVALID */
export function parseWorkloadName(text: string): WorkloadName {
  const [kindText = '', name = '', ...rest] = text.split('/')
  const kind = WORKLOAD_KINDS.find((each) => each === kindText)
  if (kind !== undefined && rest.length === 0 && NAME.test(name)) return { kind, name }
  const near = kind === undefined ? nearestName(kindText, WORKLOAD_KINDS) : undefined
  throw new MoultError(
    'ERR_USAGE_INVALID',
    `--workload: expected a name such as deployment/web, got ${JSON.stringify(text)}`,
    {
      hint: near === undefined ? `Kinds are ${WORKLOAD_KINDS.join(', ')}.` : `Did you mean ${near}/${name}?`,
      details: { workload: text },
    },
  )
}

export function workloadText({ kind, name }: WorkloadName): string {
  return `${kind}/${name}`
}

/** The container whose image follows the releases: the named one, or the only one. @throws MoultError ERR_CLUSTER_REFUSED */
export function findContainer(workload: Workload, name: string | undefined): Container {
  const { containers } = workload
  const [only] = containers.length === 1 ? containers : []
  const found = name === undefined ? only : containers.find((each) => each.name === name)
  if (found !== undefined) return found
  const names = containers.map((each) => each.name).join(', ')
  const reason = name === undefined ? 'has several containers' : `has no container ${name}`
  throw new MoultError('ERR_CLUSTER_REFUSED', `${reason}: ${workloadText(workload)}`, {
    hint: `Name one of them with --container: ${names}.`,
    details: { workload: workloadText(workload), containers: containers.map((each) => each.name) },
  })
}
