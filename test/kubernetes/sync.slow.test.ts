// With a real kube-apiserver: MOULT_KUBE_APISERVER=/path/to/kube-apiserver npm test -- test/kubernetes/sync.slow

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test, type TestContext } from 'node:test'

import { type KubernetesObject, loadAllYaml } from '@kubernetes/client-node'

import { openCluster, parseWorkloadName } from '../../kubernetes/index.ts'
import { noApiServer, type RealServer, startApiServer } from './real-api-server.ts'
import { describeSync, fails, imageOf, makeScene } from './sync-cases.ts'
import { workloadObject } from './test-cluster.ts'

const skip = noApiServer()
const EXAMPLES = new URL('../../examples/kubernetes/', import.meta.url)
let server: RealServer

function objectsOf(name: string): KubernetesObject[] {
  const text = readFileSync(new URL(name, EXAMPLES), 'utf8')
  return loadAllYaml(text) as KubernetesObject[]
}

describe('a real API server', { skip, timeout: 600_000 }, () => {
  before(async () => {
    server = await startApiServer()
  })
  after(() => server.stop())

  describeSync('a real API server', (_t: TestContext) => server.cluster())

  test('takes the manifests of examples/kubernetes as they are', async () => {
    const { admin } = server
    await admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'fleet' } })
    const objects = [...objectsOf('image-sync.yaml'), ...objectsOf('self-updating.yaml')]
    assert.deepEqual(
      objects.map(({ kind }) => kind),
      ['ServiceAccount', 'ConfigMap', 'ConfigMap', 'Role', 'RoleBinding', 'CronJob', 'StatefulSet'],
    )
    for (const object of objects) {
      // This API server is from before batch/v1 had them; nothing in the spec has changed since.
      const isCron = object.kind === 'CronJob'
      await admin.create(isCron ? { ...object, apiVersion: 'batch/v1beta1' } : object)
    }
  })

  test('the role of the example is enough for the sync, and for nothing else', async (t) => {
    const own = await server.cluster()
    const { offer, sync } = await makeScene(t, own)
    const fleet = { namespace: 'fleet' }
    for (const name of ['web', 'db']) {
      const { metadata, ...object } = workloadObject({ name })
      await server.admin.create({ ...object, metadata: { ...metadata, ...fleet } })
    }
    offer('1.1.0', 10)
    const kubeconfig = server.kubeconfigOfSync('fleet')
    const asSync = (workload: string) => sync({ workloads: [parseWorkloadName(workload)] }, {}, kubeconfig)
    const { workloads } = await asSync('deployment/web')
    assert.deepEqual([workloads[0]?.action, workloads[0]?.image], ['set', imageOf('1.1.0')])
    await assert.rejects(asSync('deployment/db'), fails('ERR_CLUSTER_REFUSED', /deployments\.apps "db" is forbidden/))
    process.env['KUBECONFIG'] = kubeconfig
    const cluster = await openCluster()
    await assert.rejects(cluster.readText('moult-root', 'root.json'), fails('ERR_CLUSTER_REFUSED', /forbidden/))
  })
})
