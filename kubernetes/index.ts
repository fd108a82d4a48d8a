// Keeps the images of a cluster's workloads at what a manifest offers: verified and decided as by an agent, rolled out by
// Kubernetes itself.

export { type ClusterOptions, openCluster } from './api-server.ts'
export type { Cluster, ImageChange, StoredText } from './cluster.ts'
export type { StatePlace } from './state-home.ts'
export { type SyncedWorkload, syncImages, type SyncOptions, type SyncResult } from './sync-images.ts'
export { parseWorkloadName, type Workload, WORKLOAD_KINDS, type WorkloadName } from './workload.ts'
