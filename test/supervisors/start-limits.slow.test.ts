// The settings that lift a supervisor's own limit are needed: without them it gives up for good before the launcher has
// gone back. With them the same agent comes back, which the life cycle of each supervisor shows.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import { homeAt } from '../../agent/home/home.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { Scene, until } from '../helpers/moult.ts'
import { Sensor } from './sensor.ts'
import { missingPart, type Supervisor } from './supervisor.ts'
import { openSupervisord } from './supervisord.ts'
import { openSystemd } from './systemd.ts'

const CASES: readonly {
  readonly name: string
  readonly needs: readonly string[]
  readonly setting: string
  /** The supervisor's own limit, with a time that a slow machine cannot outlast. */
  readonly limit: string
  readonly open: (scene: Scene) => Supervisor | Promise<Supervisor>
}[] = [
  {
    name: 'systemd',
    needs: ['systemd-nspawn'],
    setting: 'StartLimitIntervalSec=0',
    limit: 'StartLimitIntervalSec=600',
    open: openSystemd,
  },
  {
    name: 'supervisord',
    needs: ['supervisord'],
    setting: 'startretries=1000000',
    limit: 'startretries=3',
    open: openSupervisord,
  },
]

describe('a supervisor with its own limit of starts', { timeout: 300_000 }, () => {
  for (const { name, needs, setting, limit, open } of CASES) {
    test(`${name} gives up before the rollback without ${setting}`, { skip: missingPart(...needs) }, async () => {
      const scene = new Scene(`limit ${name}`)
      const supervisor = await open(scene)
      try {
        const sensor = new Sensor(scene, 'launcher')
        await sensor.begin('1.0.0')
        await sensor.install(supervisor.kind, supervisor.unitPath, '--tries', '8')
        const unit = readFileSync(supervisor.unitPath, 'utf8')
        assert.ok(unit.includes(`\n${setting}\n`), unit)
        writeFileSync(supervisor.unitPath, unit.replace(setting, limit))
        await supervisor.start()
        await sensor.untilLast('1.0.0', 'starts', () => supervisor.said())
        await sensor.release('1.0.1', 'crashes')
        const hasGivenUp = async (): Promise<boolean> => (await supervisor.state()) === 'given-up'
        await until(`${name} to give up`, hasGivenUp, 90_000, () => supervisor.said())
        assert.equal(readLaunchRecord(homeAt(sensor.home).current)?.version, '1.0.1')
        assert.ok(sensor.count('1.0.1', 'crashes') < 8)
      } finally {
        await supervisor.close()
        await scene.close()
      }
    })
  }
})
