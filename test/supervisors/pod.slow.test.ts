import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { Scene } from '../helpers/moult.ts'
import { testLifeCycle } from './life-cycle.ts'
import { openPod, type PodSupervisor } from './pod.ts'
import { Sensor, WAYS } from './sensor.ts'
import { missingPart } from './supervisor.ts'

const skip = missingPart('podman', 'runc', 'jq')
for (const way of WAYS) testLifeCycle({ title: 'an agent in a pod', way, skip, open: openPod })

describe('the volume of a pod', { skip, timeout: 300_000 }, () => {
  let scene: Scene
  let sensor: Sensor
  let pod: PodSupervisor
  before(async () => {
    scene = new Scene('pod volume')
    pod = openPod(scene)
    sensor = new Sensor(scene, 'launcher')
    await sensor.begin('1.0.0')
    await sensor.install('pod', pod.unitPath)
    await pod.prepare?.(sensor)
    await pod.start()
    await sensor.untilLast('1.0.0', 'starts', pod.said)
    await sensor.release('1.0.1')
    await sensor.untilConfirmed('1.0.1', pod.said)
  })
  after(async () => {
    await pod?.close()
    await scene?.close()
  })

  test('keeps an update when its container is made anew from the old image', async () => {
    await pod.stop()
    await pod.start()
    await sensor.untilLast('1.0.1', 'starts', pod.said)
  })

  test('goes with the pod: the next one starts with the version of the image, and is updated again', async () => {
    await pod.stop()
    await pod.podman.ok('pod', 'rm', '--force', 'sensor')
    await pod.podman.ok('volume', 'rm', '--force', 'sensor-home')
    await pod.start()
    await sensor.untilConfirmed('1.0.1', pod.said)
    const versions = sensor.log().map(({ version, event }) => `${version} ${event}`)
    // The log is new, as the volume is.
    assert.deepEqual(versions, ['1.0.0 starts', '1.0.1 starts'])
  })
})
