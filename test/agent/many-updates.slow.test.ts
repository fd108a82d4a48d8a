import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { prepareLaunch } from '../../agent/trial/launch.ts'
import { settle } from '../../agent/trial/settle.ts'
import { confirmVersion, rollBackVersion } from '../../agent/trial/verdict.ts'
import { assertTidy, makeMachine, program, publish, startHost, whatRuns } from './field.ts'

const UPDATES = 100

describe('a home', { timeout: 240_000, concurrency: true }, () => {
  for (const keepVersions of [2, 3]) {
    test(`case 71: after ${UPDATES} updates in a row, every third one rolled back, holds ${keepVersions} versions and no more`, async (t) => {
      const host = await startHost(t)
      const { home, poll, settings, deps } = await makeMachine(t, host, { keepVersions })
      const sizes: number[] = []
      let running = '1.0.0'
      for (let update = 1; update <= UPDATES; update += 1) {
        const version = `1.0.${update}`
        const artifact = Buffer.concat([program(version), Buffer.alloc(50_000, '#')])
        publish(host, { version, sequence: 10 + update, artifact })
        assert.equal((await poll()).kind, 'swapped')
        // The most that there ever is: what runs, what is to be gone back to, and what is new.
        assert.ok(fs.readdirSync(home.versions).length <= keepVersions + 1, version)
        assert.deepEqual(fs.readdirSync(home.staging), [])
        assert.equal(prepareLaunch(home, assert.fail).version, version)
        if (update % 3 === 0) assert.equal(rollBackVersion(home, version, 'health'), running)
        else assert.equal(confirmVersion(settings, version), true)
        if (update % 3 !== 0) running = version
        await settle(settings, { ...deps, clock: Date.now })
        assertTidy(home)
        assert.ok(fs.readdirSync(home.versions).length <= keepVersions, `${fs.readdirSync(home.versions).join()}`)
        sizes.push(sizeOf(home.path))
      }
      assert.equal(whatRuns(home).answers, running)
      // What grows is the quarantine, by a line for each of the 33 versions that failed, up to 100 of them.
      const [early, late] = [Math.max(...sizes.slice(5, 15)), Math.max(...sizes.slice(-10))]
      assert.ok(late - early < 60_000, `${early}, ${late}`)
    })
  }
})

function sizeOf(path: string): number {
  return fs
    .readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => fs.lstatSync(join(path, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)
}
