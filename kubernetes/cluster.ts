// What the sync needs of a cluster. One adapter talks to the API server (api-server.ts).

import type { Workload, WorkloadName } from './workload.ts'

export interface ImageChange {
  readonly container: string
  readonly image: string
  readonly version: string
}

/** The content of one key of a ConfigMap, and what it must still be when it is replaced. */
export interface StoredText {
  /** Undefined while the key is absent. */
  readonly text: string | undefined
  /** Never the same for two ConfigMaps. */
  readonly uid: string
  readonly resourceVersion: string
}

/**
 * Failures are MoultErrors: ERR_CLUSTER_FAILED for what may pass, ERR_CLUSTER_REFUSED for what a person has to mend
 * (rights, names).
 */
export interface Cluster {
  readonly namespace: string

  workload(name: WorkloadName): Promise<Workload>

  /**
   * Sets the image of one container, and notes image and version on the workload; the rest is Kubernetes' own rolling
   * update. MUST change nothing if that container, its image or its place has changed since the workload was read.
   */
  setImage(workload: Workload, change: ImageChange): Promise<void>

  /** The ConfigMap MUST exist: the right to create them cannot be given for one name only. */
  readText(configMap: string, key: string): Promise<StoredText>

  /** Replaces the key's text. MUST fail when the ConfigMap has changed since it was read. */
  writeText(configMap: string, key: string, text: string, before: StoredText): Promise<void>
}
