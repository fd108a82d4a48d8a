// One suite for every API server that the sync is tried with.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import {
  openCluster,
  parseWorkloadName,
  syncImages,
  type SyncOptions,
  type SyncResult,
} from '../../kubernetes/index.ts'
import type { SettingsFile } from '../../agent/index.ts'
import { formatDate, type JsonValue, type MoultError, sha256 } from '../../manifests/index.ts'
import { type Host, makeDir, NOW, type Offer, publish, publishRelease, startHost } from '../agent/field.ts'
import { makeRoot } from '../fixtures/signed-manifest.ts'
import { configMap, imagesOf, type TestCluster, workloadObject, type WorkloadOptions } from './test-cluster.ts'

const DAY_MS = 86_400_000
export const STATE = 'moult-sync'
export const imageOf = (version: string): string =>
  `registry.example.com/agent:${version}@sha256:${sha256(Buffer.from(version))}`

interface Scene {
  readonly cluster: TestCluster
  readonly host: Host
  /** Publishes a release with an image. */
  readonly offer: (version: string, sequence: number, more?: Offer['manifest']) => void
  readonly sync: (
    options?: Partial<SyncOptions>,
    overrides?: Partial<SettingsFile>,
    kubeconfig?: string,
  ) => Promise<SyncResult>
  readonly images: (kind?: string, name?: string) => Promise<Record<string, string>>
  readonly state: () => Promise<string | undefined>
}

export async function makeScene(t: TestContext, cluster: TestCluster, workload: WorkloadOptions = {}): Promise<Scene> {
  const host = await startHost(t)
  const root = join(makeDir(t), 'root.json')
  writeFileSync(root, JSON.stringify(makeRoot()))
  await cluster.put(workloadObject(workload))
  await cluster.put(configMap(STATE))
  cluster.drain?.()
  return {
    cluster,
    host,
    offer: (version, sequence, more = {}) =>
      publish(host, {
        version,
        sequence,
        manifest: { ...more, release: { container_image: imageOf(version), ...more.release } },
      }),
    sync: async (options = {}, overrides = {}, kubeconfig = cluster.kubeconfig) => {
      process.env['KUBECONFIG'] = kubeconfig
      return syncImages(
        {
          workloads: [parseWorkloadName('deployment/web')],
          place: { kind: 'config-map', name: STATE },
          overrides: { server: host.url, root, ...overrides },
          ...options,
        },
        await openCluster(),
        { clock: () => NOW, emit: () => undefined },
      )
    },
    images: async (kind = 'Deployment', name = 'web') => imagesOf(await cluster.get(kind, name)),
    state: async () => (await cluster.get('ConfigMap', STATE)).data?.['state.json'],
  }
}

export function fails(code: string, says: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.equal((error as MoultError).code, code, String(error))
    assert.match((error as MoultError).message, says)
    return true
  }
}

export function describeSync(what: string, start: (t: TestContext) => Promise<TestCluster>): void {
  const scene = async (t: TestContext, workload?: WorkloadOptions): Promise<Scene> =>
    makeScene(t, await start(t), workload)

  describe(`the sync of images with ${what}`, () => {
    test('sets the image of the named container once, and notes which version that is', async (t) => {
      const images = { agent: 'registry.example.com/agent:1.0.0', proxy: 'registry.example.com/proxy:7' }
      const { offer, sync, cluster, images: present } = await scene(t, { images })
      offer('1.1.0', 10)
      const result = await sync({ container: 'agent' })
      assert.deepEqual([result.kind, result.offered, result.sequence], ['synced', '1.1.0', 10])
      assert.deepEqual(result.workloads, [
        {
          workload: 'deployment/web',
          namespace: cluster.namespace,
          container: 'agent',
          running: '1.0.0',
          image: imageOf('1.1.0'),
          action: 'set',
          reason: 'newer',
        },
      ])
      assert.deepEqual(await present(), { ...images, agent: imageOf('1.1.0') })
      const { metadata } = await cluster.get('Deployment', 'web')
      assert.equal(metadata.annotations?.['moult/version'], '1.1.0')

      const before = metadata.resourceVersion
      const again = await sync({ container: 'agent' })
      assert.deepEqual([again.workloads[0]?.action, again.workloads[0]?.running], ['keep', '1.1.0'])
      assert.equal((await cluster.get('Deployment', 'web')).metadata.resourceVersion, before)
    })

    test('sets the image of the release that a rule or the fallback means for the workload', async (t) => {
      const { offer, sync, host, images } = await scene(t)
      const named = (version: string): JsonValue =>
        publishRelease(host, { version, manifest: { release: { container_image: imageOf(version) } } })
      offer('2.0.0', 10, { rollout: { rules: [{ match: { labels: { ring: ['old'] } }, pin: named('1.5.0') }] } })
      const pinned = await sync({}, { labels: { ring: 'old' } })
      const { action, reason, image } = pinned.workloads[0] ?? {}
      assert.deepEqual([pinned.offered, action, reason, image], ['2.0.0', 'set', 'pinned', imageOf('1.5.0')])
      assert.deepEqual(await images(), { agent: imageOf('1.5.0') })
      assert.equal((await sync({}, { labels: { ring: 'old' } })).workloads[0]?.action, 'keep')

      const stages = [{ at: formatDate(NOW + DAY_MS), percent: 100 }]
      offer('2.0.0', 11, { rollout: { stages, fallback: named('1.6.0') } })
      assert.equal((await sync()).workloads[0]?.reason, 'held-back')
      assert.deepEqual(await images(), { agent: imageOf('1.6.0') })
      const held = (await sync()).workloads[0]
      assert.deepEqual([held?.action, held?.reason, held?.running], ['wait', 'stage', '1.6.0'])
    })

    test('adds its notes to those of others', async (t) => {
      const { offer, sync, cluster } = await scene(t)
      await cluster.put({
        ...workloadObject({ name: 'noted' }),
        metadata: { name: 'noted', annotations: { 'example.com/owner': 'a~b' } },
      })
      offer('1.1.0', 10)
      await sync({ workloads: [parseWorkloadName('deployment/noted')] })
      const { annotations } = (await cluster.get('Deployment', 'noted')).metadata
      assert.equal(annotations?.['example.com/owner'], 'a~b')
      assert.equal(annotations['moult/version'], '1.1.0')
    })

    test('with a plan says the same and changes nothing', async (t) => {
      const { offer, sync, images, state } = await scene(t)
      offer('1.1.0', 10)
      const planned = await sync({ isPlan: true })
      assert.deepEqual([planned.kind, planned.workloads[0]?.action], ['planned', 'set'])
      assert.deepEqual(await images(), { agent: 'registry.example.com/agent:1.0.0' })
      assert.equal(await state(), undefined)
    })

    for (const kind of ['StatefulSet', 'DaemonSet'] as const) {
      test(`sets the image of a ${kind}`, async (t) => {
        const { offer, sync, images } = await scene(t, { kind })
        offer('1.1.0', 10)
        await sync({ workloads: [parseWorkloadName(`${kind.toLowerCase()}/web`)] })
        assert.deepEqual(await images(kind), { agent: imageOf('1.1.0') })
      })
    }

    test('brings every workload to the release, each by what it runs', async (t) => {
      const { offer, sync, images, cluster } = await scene(t)
      await cluster.put(workloadObject({ name: 'done', images: { agent: imageOf('1.1.0') } }))
      await cluster.put(workloadObject({ name: 'ahead', images: { agent: 'registry.example.com/agent:2.0.0' } }))
      offer('1.1.0', 10)
      const workloads = ['web', 'done', 'ahead'].map((name) => parseWorkloadName(`deployment/${name}`))
      const result = await sync({ workloads })
      assert.deepEqual(
        result.workloads.map(({ workload, action, reason }) => [workload, action, reason]),
        [
          ['deployment/web', 'set', 'newer'],
          ['deployment/done', 'keep', undefined],
          ['deployment/ahead', 'refuse', 'downgrade'],
        ],
      )
      assert.deepEqual(await images('Deployment', 'ahead'), { agent: 'registry.example.com/agent:2.0.0' })
    })

    const tomorrow = formatDate(NOW + DAY_MS)
    const waits: readonly (readonly [string, string, Offer['manifest'], Partial<SettingsFile>])[] = [
      ['a pause', 'paused', { rollout: { paused: true } }, {}],
      ['a stage', 'stage', { rollout: { stages: [{ at: tomorrow, percent: 100 }] } }, {}],
      ['its own percent', 'stage', {}, { percent: 0 }],
      ['a maintenance window', 'window', {}, { windows: [closedNow()] }],
      ['an approval', 'approval', {}, { approval: true }],
    ]
    for (const [name, reason, more, overrides] of waits) {
      test(`waits for ${name}`, async (t) => {
        const { offer, sync, images } = await scene(t)
        offer('1.1.0', 10, more)
        const { workloads } = await sync({}, overrides)
        assert.deepEqual([workloads[0]?.action, workloads[0]?.reason], ['wait', reason])
        assert.deepEqual(await images(), { agent: 'registry.example.com/agent:1.0.0' })
        offer('1.1.0', 11)
        assert.equal((await sync()).workloads[0]?.action, 'set')
      })
    }

    test('keeps its place in a rollout, which is that of the ConfigMap', async (t) => {
      const { offer, sync, state } = await scene(t)
      offer('1.1.0', 10, { rollout: { stages: [{ at: formatDate(NOW - DAY_MS), percent: 50 }] } })
      const first = await sync({ isPlan: true })
      for (let round = 0; round < 3; round += 1) assert.deepEqual(await sync({ isPlan: true }), first)
      assert.equal(await state(), undefined)
    })

    test('goes back only where the publisher says so', async (t) => {
      const { offer, sync, images } = await scene(t, { images: { agent: 'registry.example.com/agent:1.2.0' } })
      offer('1.1.0', 10)
      assert.deepEqual((await sync()).workloads[0]?.reason, 'downgrade')
      offer('1.1.0', 11, { rollout: { rollback: ['1.2.0'] } })
      assert.deepEqual((await sync()).workloads[0]?.reason, 'rollback')
      assert.deepEqual(await images(), { agent: imageOf('1.1.0') })
    })

    test('remembers the sequence from run to run: an old manifest is refused', async (t) => {
      const { offer, sync, images, state } = await scene(t)
      offer('1.1.0', 10)
      await sync()
      offer('1.2.0', 9)
      await assert.rejects(sync(), fails('ERR_TRUST_REPLAY', /sequence 9 is behind 10/))
      assert.deepEqual(await images(), { agent: imageOf('1.1.0') })
      assert.match((await state()) ?? '', /"sequence": 10/)
      offer('1.2.0', 11)
      assert.equal((await sync()).workloads[0]?.action, 'set')
    })

    test('takes nothing that is not signed', async (t) => {
      const { offer, sync, images, state } = await scene(t)
      offer('1.1.0', 10, { edit: (document) => void (document['container_image'] = imageOf('6.6.6')) })
      await assert.rejects(sync(), fails('ERR_TRUST_SIGNATURE', /release/))
      assert.deepEqual(await images(), { agent: 'registry.example.com/agent:1.0.0' })
      assert.equal(await state(), undefined)
    })

    for (const [name, image] of [
      ['whose image a tag decides', 'registry.example.com/agent:1.1.0'],
      ['without an image', undefined],
    ] as const) {
      test(`refuses a release ${name}`, async (t) => {
        const { offer, sync, images } = await scene(t)
        offer('1.1.0', 10, { release: { container_image: image } })
        await assert.rejects(sync(), fails('ERR_POLICY_REFUSED', /image/))
        assert.deepEqual(await images(), { agent: 'registry.example.com/agent:1.0.0' })
      })
    }

    test('touches nothing where it cannot tell what runs, until it is told', async (t) => {
      const { offer, sync } = await scene(t, { images: { agent: 'registry.example.com/agent:latest' } })
      offer('1.1.0', 10)
      await assert.rejects(sync(), fails('ERR_CONFIG_MISSING', /deployment\/web/))
      assert.equal((await sync({ running: '1.0.0' })).workloads[0]?.action, 'set')
      assert.equal((await sync()).workloads[0]?.action, 'keep')
    })

    test('believes the label of the version, and its own note only for its own image', async (t) => {
      const labels = { 'app.kubernetes.io/version': '1.0.5' }
      const { offer, sync, cluster } = await scene(t, {
        labels,
        images: { agent: 'registry.example.com/agent:latest' },
      })
      offer('1.1.0', 10)
      assert.equal((await sync({ isPlan: true })).workloads[0]?.running, '1.0.5')
      const noted = { 'moult/version': '9.9.9', 'moult/image': imageOf('9.9.9') }
      await cluster.put({
        ...workloadObject({ name: 'other', labels }),
        metadata: { name: 'other', annotations: noted },
      })
      const { workloads } = await sync({ isPlan: true, workloads: [parseWorkloadName('deployment/other')] })
      assert.equal(workloads[0]?.running, '1.0.0')
    })

    test('says which name is wrong, before anything is changed', async (t) => {
      const { offer, sync, images } = await scene(t)
      offer('1.1.0', 10)
      const workloads = ['deployment/web', 'deployment/none'].map(parseWorkloadName)
      await assert.rejects(sync({ workloads }), fails('ERR_CLUSTER_REFUSED', /deployment\/none in namespace/))
      await assert.rejects(sync({ container: 'proxy' }), fails('ERR_CLUSTER_REFUSED', /no container proxy/))
      const place = { kind: 'config-map', name: 'none' } as const
      await assert.rejects(sync({ place }), fails('ERR_CLUSTER_REFUSED', /configmap\/none/))
      assert.deepEqual(await images(), { agent: 'registry.example.com/agent:1.0.0' })
    })

    for (const annotations of [undefined, { 'example.com/owner': 'a' }]) {
      test(`does not undo what was changed since it looked, ${annotations ? 'beside' : 'without'} other notes`, async (t) => {
        const { cluster } = await scene(t)
        const put = ([name, image]: readonly [string, string]): Promise<void> => {
          const object = workloadObject({ name: 'shared', images: { [name]: image } })
          return cluster.put({ ...object, metadata: { name: 'shared', ...(annotations && { annotations }) } })
        }
        process.env['KUBECONFIG'] = cluster.kubeconfig
        const own = await openCluster()
        const look = () => own.workload({ kind: 'deployment', name: 'shared' })
        const change = { container: 'agent', image: imageOf('1.1.0'), version: '1.1.0' }
        await put(['agent', 'registry.example.com/agent:1.0.0'])
        const stale = await look()
        for (const other of [
          ['agent', 'registry.example.com/agent:1.0.1'],
          ['other', 'registry.example.com/agent:1.0.0'],
        ] as const) {
          await put(other)
          await assert.rejects(own.setImage(stale, change), fails('ERR_CLUSTER_FAILED', /at the same time/))
          assert.deepEqual(imagesOf(await cluster.get('Deployment', 'shared')), { [other[0]]: other[1] })
        }
        await own.setImage(await look(), { ...change, container: 'other' })
        assert.deepEqual(imagesOf(await cluster.get('Deployment', 'shared')), { other: change.image })
      })
    }

    test('does not take away the first note of somebody else', async (t) => {
      const { cluster } = await scene(t)
      process.env['KUBECONFIG'] = cluster.kubeconfig
      const own = await openCluster()
      const stale = await own.workload({ kind: 'deployment', name: 'web' })
      const object = workloadObject()
      await cluster.put({ ...object, metadata: { ...object.metadata, annotations: { 'example.com/owner': 'a' } } })
      const change = { container: 'agent', image: imageOf('1.1.0'), version: '1.1.0' }
      await assert.rejects(own.setImage(stale, change), fails('ERR_CLUSTER_FAILED', /at the same time/))
      assert.equal((await cluster.get('Deployment', 'web')).metadata.annotations?.['example.com/owner'], 'a')
    })

    test('does not forget what another run has remembered', async (t) => {
      const { cluster, state } = await scene(t)
      process.env['KUBECONFIG'] = cluster.kubeconfig
      const own = await openCluster()
      const before = await own.readText(STATE, 'state.json')
      await own.writeText(STATE, 'state.json', 'first', before)
      await assert.rejects(
        own.writeText(STATE, 'state.json', 'second', before),
        fails('ERR_CLUSTER_FAILED', /configmap\/moult-sync/),
      )
      assert.equal(await state(), 'first')
    })

    test('does not go on without the floor when its state is damaged', async (t) => {
      const { offer, sync, images, cluster, state } = await scene(t)
      offer('1.1.0', 10)
      await cluster.put(configMap(STATE, { 'state.json': '{"format": "moult-state/1"' }))
      await assert.rejects(sync(), fails('ERR_CONFIG_INVALID', /configmap\/moult-sync/))
      assert.deepEqual(await images(), { agent: 'registry.example.com/agent:1.0.0' })
      assert.equal(await state(), '{"format": "moult-state/1"')
    })
  })
}

/** A window that was closed an hour ago, in UTC. */
function closedNow(): { start: string; end: string; timezone: string } {
  const at = (hours: number): string => new Date(NOW + hours * 3_600_000).toISOString().slice(11, 16)
  return { start: at(-2), end: at(-1), timezone: 'UTC' }
}
