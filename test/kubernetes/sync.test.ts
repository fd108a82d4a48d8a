import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { openCluster } from '../../kubernetes/index.ts'
import { makeDir } from '../agent/field.ts'
import { startDouble } from './api-server-double.ts'
import { describeSync, fails, imageOf, makeScene } from './sync-cases.ts'
import { kubeconfigText, workloadObject } from './test-cluster.ts'

describeSync('a double of the API server', startDouble)

test('only reads and patches what it was given', async (t) => {
  const cluster = await startDouble(t)
  const { offer, sync } = await makeScene(t, cluster)
  offer('1.1.0', 10)
  await sync()
  assert.deepEqual([...new Set(cluster.drain?.())].toSorted(), [
    'GET /api/v1/namespaces/fleet/configmaps/moult-sync',
    'GET /apis/apps/v1/namespaces/fleet/deployments/web',
    'PATCH /api/v1/namespaces/fleet/configmaps/moult-sync',
    'PATCH /apis/apps/v1/namespaces/fleet/deployments/web',
  ])
})

test('an account that the API server does not know is refused, and its token is not told', async (t) => {
  const cluster = await startDouble(t)
  const { offer, sync } = await makeScene(t, cluster)
  offer('1.1.0', 10)
  const server = /"server":"([^"]+)"/.exec(readFileSync(cluster.kubeconfig, 'utf8'))?.[1] ?? ''
  writeFileSync(cluster.kubeconfig, kubeconfigText(server, 'a-stolen-token', cluster.namespace))
  await assert.rejects(sync(), (error: Error) => {
    assert.doesNotMatch(JSON.stringify(error) + error.stack + error.message, /a-stolen-token/)
    return fails('ERR_CLUSTER_REFUSED', /does not know this account/)(error)
  })
})

test('no API server is an outage, and no kubeconfig a lack of configuration', async (t) => {
  const dir = makeDir(t)
  const kubeconfig = join(dir, 'kubeconfig')
  writeFileSync(kubeconfig, kubeconfigText('http://127.0.0.1:9', 'token', 'fleet'))
  process.env['KUBECONFIG'] = kubeconfig
  const cluster = await openCluster()
  await assert.rejects(
    cluster.workload({ kind: 'deployment', name: 'web' }),
    fails('ERR_CLUSTER_FAILED', /ECONNREFUSED.*127\.0\.0\.1:9/),
  )
  await assert.rejects(openCluster({ context: 'other' }), fails('ERR_CONFIG_INVALID', /no such context: other/))
  const before = process.env['HOME']
  t.after(() => void (process.env['HOME'] = before))
  delete process.env['KUBECONFIG']
  process.env['HOME'] = dir
  await assert.rejects(openCluster(), fails('ERR_CONFIG_MISSING', /no cluster is configured/))
})

test('a release that was rolled out and names a floor is the lowest from then on', async (t) => {
  const { offer, sync, cluster } = await makeScene(t, await startDouble(t))
  const put = (image: string, updatedReplicas: number): Promise<void> => {
    const { metadata, ...object } = workloadObject({ images: { agent: image } })
    const status = { observedGeneration: 1, replicas: 1, updatedReplicas, availableReplicas: 1 }
    return cluster.put({ ...object, metadata, ...{ status } })
  }
  const guarded = { release: { rollback_floor: '1.1.0' } }
  offer('1.1.0', 10, guarded)
  await put(imageOf('1.1.0'), 0)
  await sync()
  offer('1.0.0', 11, { rollout: { rollback: ['1.1.0'] } })
  assert.equal((await sync({ isPlan: true })).workloads[0]?.reason, 'rollback', 'it had not run yet')
  offer('1.1.0', 12, guarded)
  await put(imageOf('1.1.0'), 1)
  await sync()
  offer('1.0.0', 13, { rollout: { rollback: ['1.1.0'] } })
  assert.equal((await sync()).workloads[0]?.reason, 'below-floor')
})

test('settings that switch updates off do so here, too', async (t) => {
  const { offer, sync, images } = await makeScene(t, await startDouble(t))
  offer('1.1.0', 10)
  await assert.rejects(sync({}, { enabled: false }), fails('ERR_POLICY_REFUSED', /switched off/))
  assert.deepEqual(await images(), { agent: 'registry.example.com/agent:1.0.0' })
  assert.equal((await sync()).workloads[0]?.action, 'set')
})
