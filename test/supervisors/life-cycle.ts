// One suite for every supervisor: an agent installed by `moult agent install --unit` is updated, comes back from a
// version that crashes, goes back when a person says so, and stops for good when the supervisor is told to stop it.

import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'

import { Scene, until } from '../helpers/moult.ts'
import { Sensor, type Way } from './sensor.ts'
import type { Supervisor } from './supervisor.ts'

/** More than systemd's limit of 5 starts in 10 seconds and supervisord's of 3: both must have been lifted. */
const TRIES: Readonly<Record<Way, number>> = { launcher: 6, supervised: 3 }

export interface LifeCycleOptions {
  /** What docs/catalogue.md calls it, such as `an agent under runit`. */
  readonly title: string
  readonly way: Way
  /** Why not to run it. */
  readonly skip: string | false
  readonly open: (scene: Scene) => Supervisor | Promise<Supervisor>
}

export function testLifeCycle({ title, way, skip, open }: LifeCycleOptions): void {
  describe(
    `${title}, ${way === 'launcher' ? 'started by the launcher' : 'inside `moult agent run`'}`,
    {
      skip,
      timeout: 300_000,
    },
    () => {
      let scene: Scene
      let sensor: Sensor
      let supervisor: Supervisor
      before(async () => {
        scene = new Scene(`${title.split(' ').at(-1)} ${way}`)
        supervisor = await open(scene)
        sensor = new Sensor(scene, way)
        await sensor.begin('1.0.0')
        await sensor.install(supervisor.kind, supervisor.unitPath, '--tries', String(TRIES[way]))
        await supervisor.prepare?.(sensor)
      })
      after(async () => {
        await supervisor?.close()
        await scene?.close()
      })
      // Each goes on where the one before it has ended, and one that cannot would only wait.
      let hasFailed = false
      const step = (does: string, work: (t: TestContext) => Promise<void>): void =>
        void test(does, async (t) => {
          assert.equal(hasFailed, false, 'what comes before this has failed')
          hasFailed = true
          await work(t)
          hasFailed = false
        })
      const said = (): string => supervisor.said()

      step('runs what was installed', async () => {
        await supervisor.start()
        await sensor.untilLast('1.0.0', 'starts', said)
        assert.equal(await supervisor.state(), 'running')
      })

      step('is updated while it runs', async () => {
        await sensor.release('1.0.1')
        await sensor.untilLast('1.0.1', 'starts', said)
        await sensor.untilConfirmed('1.0.1', said)
        assert.equal(sensor.count('1.0.0', 'starts'), 1)
      })

      step(
        'comes back from a version that crashes before the supervisor gives up, and never tries it again',
        async (t) => {
          await sensor.release('1.0.2', 'crashes')
          await sensor.untilQuarantined('1.0.2', 'tries')
          await sensor.untilLast('1.0.1', 'starts', said)
          assert.equal(sensor.count('1.0.2', 'crashes'), TRIES[way])
          assert.equal(await supervisor.state(), 'running')
          t.diagnostic(`${TRIES[way]} tries, back after ${sensor.rollbackMs('1.0.2', '1.0.1')} ms`)
          await supervisor.assertNotRestarted?.()
          // The next release is seen by the same poll that still sees the one in quarantine.
          const starts = sensor.count('1.0.1', 'starts')
          await sensor.release('1.0.3')
          await sensor.untilConfirmed('1.0.3', said)
          assert.equal(sensor.count('1.0.2', 'crashes'), TRIES[way])
          assert.equal(sensor.count('1.0.1', 'starts'), starts)
        },
      )

      step('goes back at the next start when a person says so', async () => {
        // The agent holds the lock while it polls: 28 says to try again.
        const back = async (): Promise<boolean> => {
          const { code, stderr } = await scene.moult(['agent', 'rollback', '--home', sensor.home])
          assert.ok(code === 0 || code === 28, stderr)
          return code === 0
        }
        await until('the lock', back)
        await supervisor.restart()
        await sensor.untilQuarantined('1.0.3', 'manual')
        await sensor.untilLast('1.0.1', 'starts', said)
      })

      step('stops when the supervisor stops it, by SIGTERM, and is not started again', async () => {
        assert.notDeepEqual(sensor.processes(), [])
        await supervisor.stop()
        await sensor.untilLast('1.0.1', 'stops', said)
        assert.equal(await supervisor.state(), 'stopped')
        assert.deepEqual(sensor.processes(), [])
      })

      step('starts again with the version that it had', async () => {
        await supervisor.start()
        await sensor.untilLast('1.0.1', 'starts', said)
      })
    },
  )
}
