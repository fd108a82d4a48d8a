import type { V1DaemonSet, V1Deployment, V1StatefulSet } from '@kubernetes/client-node'

import type { WorkloadKind } from './workload.ts'

/** Whether every pod that is wanted is of the present template and available. None wanted proves nothing. */
export function isRolledOut(kind: WorkloadKind, object: V1Deployment | V1StatefulSet | V1DaemonSet): boolean {
  const { metadata, status } = object
  if ((status?.observedGeneration ?? -1) < (metadata?.generation ?? 0)) return false
  const [wanted, ...reached] = kind === 'daemonset' ? ofDaemonSet(object as V1DaemonSet) : ofReplicas(object)
  return wanted !== undefined && wanted > 0 && reached.every((count) => count === wanted)
}

function ofDaemonSet({ status }: V1DaemonSet): (number | undefined)[] {
  return [status?.desiredNumberScheduled, status?.updatedNumberScheduled, status?.numberAvailable]
}

/** The last is greater than the first while old pods are on their way out. */
function ofReplicas({ spec, status }: V1Deployment | V1StatefulSet): (number | undefined)[] {
  return [spec?.replicas ?? 1, status?.updatedReplicas, status?.availableReplicas, status?.replicas]
}
