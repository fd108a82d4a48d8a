// The API server through Kubernetes' own client, which is loaded only here: it is an optional part of the package.

import type * as Client from '@kubernetes/client-node'
import type {
  AppsV1Api,
  ConfigurationOptions,
  KubeConfig,
  ObservableMiddleware,
  V1ConfigMap,
  V1DaemonSet,
  V1Deployment,
  V1StatefulSet,
} from '@kubernetes/client-node'

import { MoultError } from '../manifests/index.ts'
import type { Cluster, ImageChange, StoredText } from './cluster.ts'
import { toClusterError } from './cluster-error.ts'
import { imagePatch, type JsonPatch } from './image-patch.ts'
import { isRolledOut } from './rolled-out.ts'
import { type Workload, type WorkloadKind, type WorkloadName, workloadText } from './workload.ts'

type Options = ConfigurationOptions<ObservableMiddleware>
type WorkloadObject = V1Deployment | V1StatefulSet | V1DaemonSet

const REQUEST_TIMEOUT_MS = 30_000
const FIELD_MANAGER = 'moult-k8s-sync'
/** Where the client ends up when it has found no configuration. */
const NOWHERE = 'http://localhost:8080'

export interface ClusterOptions {
  /** Of the kubeconfig; default: the current one. */
  readonly context?: string | undefined
  /** Default: of the context or of the pod, else `default`. */
  readonly namespace?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens the cluster that KUBECONFIG, ~/.kube/config or the pod's own service account names.
 * @throws MoultError ERR_CONFIG_*
 */
export async function openCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const client = await loadClient()
  const config = loadConfig(client, options.context)
  const server = config.getCurrentCluster()?.server ?? ''
  const context = config.getContextObject(config.getCurrentContext())
  const namespace = options.namespace ?? context?.namespace ?? 'default'
  const apps = config.makeApiClient(client.AppsV1Api)
  const core = config.makeApiClient(client.CoreV1Api)
  const sending = (contentType?: string): Options => requestOptions(client, options.signal, contentType)

  async function ask<T>(subject: string, request: () => Promise<T>): Promise<T> {
    options.signal?.throwIfAborted()
    try {
      return await request()
    } catch (error) {
      options.signal?.throwIfAborted()
      throw toClusterError(error, `${subject} in namespace ${namespace}`, server)
    }
  }

  return {
    namespace,
    workload: (name) =>
      ask(workloadText(name), async () => {
        const param = { name: name.name, namespace }
        return workloadOf(name, await READ[name.kind](apps, param, sending()))
      }),
    setImage: (workload, change: ImageChange) =>
      ask(workloadText(workload), async () => {
        const body = imagePatch(workload, change)
        const param = { name: workload.name, namespace, body, fieldManager: FIELD_MANAGER }
        await PATCH[workload.kind](apps, param, sending(client.PatchStrategy.JsonPatch))
      }),
    readText: (name, key) =>
      ask(`configmap/${name}`, async () =>
        storedText(await core.readNamespacedConfigMap({ name, namespace }, sending()), key),
      ),
    writeText: (name, key, text, before) =>
      ask(`configmap/${name}`, async () => {
        // With a resource version the merge is refused where somebody else was quicker.
        const body = { metadata: { resourceVersion: before.resourceVersion }, data: { [key]: text } }
        const param = { name, namespace, body, fieldManager: FIELD_MANAGER }
        await core.patchNamespacedConfigMap(param, sending(client.PatchStrategy.MergePatch))
      }),
  }
}

interface Named {
  readonly name: string
  readonly namespace: string
}

const READ: Record<WorkloadKind, (api: AppsV1Api, param: Named, options: Options) => Promise<WorkloadObject>> = {
  deployment: (api, param, options) => api.readNamespacedDeployment(param, options),
  statefulset: (api, param, options) => api.readNamespacedStatefulSet(param, options),
  daemonset: (api, param, options) => api.readNamespacedDaemonSet(param, options),
}

type Patch = Named & { readonly body: JsonPatch; readonly fieldManager: string }
const PATCH: Record<WorkloadKind, (api: AppsV1Api, param: Patch, options: Options) => Promise<WorkloadObject>> = {
  deployment: (api, param, options) => api.patchNamespacedDeployment(param, options),
  statefulset: (api, param, options) => api.patchNamespacedStatefulSet(param, options),
  daemonset: (api, param, options) => api.patchNamespacedDaemonSet(param, options),
}

async function loadClient(): Promise<typeof Client> {
  try {
    return await import('@kubernetes/client-node')
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_MISSING', 'the client of Kubernetes is not installed: @kubernetes/client-node', {
      hint: 'Install it beside moult: npm install @kubernetes/client-node@1',
      cause,
    })
  }
}

function loadConfig({ KubeConfig }: typeof Client, context: string | undefined): KubeConfig {
  const config = new KubeConfig()
  try {
    config.loadFromDefault()
    if (context !== undefined) {
      if (config.getContextObject(context) === null) throw new Error(`no such context: ${context}`)
      config.setCurrentContext(context)
    }
    const { server } = config.getCurrentCluster() ?? { server: NOWHERE }
    if (server !== NOWHERE || process.env['KUBECONFIG'] !== undefined) return config
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_INVALID', `the kubeconfig cannot be used: ${(cause as Error).message}`, { cause })
  }
  throw new MoultError('ERR_CONFIG_MISSING', 'no cluster is configured', {
    hint: 'Set KUBECONFIG, or run this in a pod with a service account.',
  })
}

function requestOptions(client: typeof Client, signal: AbortSignal | undefined, contentType?: string): Options {
  const late = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  // In the client's own spelling: another one would be a second header of that name.
  const header =
    contentType === undefined
      ? client.setHeaderMiddleware('Accept', 'application/json')
      : client.setHeaderMiddleware('Content-Type', contentType)
  const middleware: ObservableMiddleware = {
    pre(request) {
      // The types of the client's HTTP library know only a signal of an older form.
      request.setSignal(signal === undefined ? late : AbortSignal.any([signal, late]))
      return header.pre(request)
    },
    post: (response) => header.post(response),
  }
  return { middleware: [middleware], middlewareMergeStrategy: 'append' }
}

function workloadOf(name: WorkloadName, object: WorkloadObject): Workload {
  const { metadata, spec } = object
  return {
    ...name,
    resourceVersion: metadata?.resourceVersion ?? '',
    annotations: metadata?.annotations,
    labels: metadata?.labels ?? {},
    containers: (spec?.template.spec?.containers ?? []).map((each) => ({ name: each.name, image: each.image ?? '' })),
    isRolledOut: isRolledOut(name.kind, object),
  }
}

function storedText({ metadata, data }: V1ConfigMap, key: string): StoredText {
  return { text: data?.[key], uid: metadata?.uid ?? '', resourceVersion: metadata?.resourceVersion ?? '' }
}
