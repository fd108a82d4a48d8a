// What the suite of the sync needs of a cluster, be it a real API server or the double.

export interface KubeObject {
  readonly apiVersion?: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly resourceVersion?: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly name: string; image: string }[] } }
  }
}

export interface TestCluster {
  /** Path of the file that KUBECONFIG names. */
  readonly kubeconfig: string
  readonly namespace: string
  /** In the kubeconfig, and nowhere else. */
  readonly token: string
  /** Creates or replaces an object in the namespace. */
  put(object: KubeObject): Promise<void>
  get(kind: string, name: string): Promise<KubeObject>
  /** Requests since the last call, where they can be seen. */
  drain?(): string[]
}

const PLURALS: Readonly<Record<string, string>> = {
  Deployment: 'apis/apps/v1/namespaces/{}/deployments',
  StatefulSet: 'apis/apps/v1/namespaces/{}/statefulsets',
  DaemonSet: 'apis/apps/v1/namespaces/{}/daemonsets',
  ConfigMap: 'api/v1/namespaces/{}/configmaps',
}

export function pathOf({ kind, metadata }: Pick<KubeObject, 'kind' | 'metadata'>, namespace: string): string {
  return `/${(PLURALS[kind] ?? '').replace('{}', namespace)}/${metadata.name}`
}

export function kubeconfigText(server: string, token: string, namespace: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: { token } }],
  })
}

export interface WorkloadOptions {
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  readonly name?: string
  readonly images?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
}

export function workloadObject(options: WorkloadOptions = {}): KubeObject {
  const {
    kind = 'Deployment',
    name = 'web',
    images = { agent: 'registry.example.com/agent:1.0.0' },
    labels = {},
  } = options
  const containers = Object.entries(images).map(([container, image]) => ({ name: container, image }))
  const spec = {
    ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers } },
  }
  return { apiVersion: 'apps/v1', kind, metadata: { name, labels }, spec }
}

export function configMap(name: string, data?: Readonly<Record<string, string>>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...(data === undefined ? {} : { data }) }
}

/** The image of each container. */
export function imagesOf({ spec }: KubeObject): Record<string, string> {
  return Object.fromEntries((spec?.template.spec.containers ?? []).map(({ name, image }) => [name, image]))
}
