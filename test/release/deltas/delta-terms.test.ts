import assert from 'node:assert/strict'
import { totalmem } from 'node:os'
import { test } from 'node:test'

import { deltaTermsOf } from '../../../release/deltas/delta-terms.ts'
import type { Config } from '../../../release/config.ts'
import { readConfig } from '../../../release/read-config.ts'
import { failsWith, makeProject } from '../project-fixture.ts'

const config: Config = { name: 'probe', build: { type: 'files', path: 'bin/agent' } }

test('without a word in the configuration there are deltas, within some of the memory', () => {
  const { memoryBytes, atOnce, ...terms } = deltaTermsOf({}, config) ?? assert.fail('none')
  assert.deepEqual(terms, { last: 3, fleet: 2, fleetFile: undefined, timeLimitMs: 120_000 })
  assert.ok(memoryBytes > 0 && memoryBytes < totalmem(), `${memoryBytes} bytes`)
  assert.ok(atOnce >= 1)
})

test('the configuration and the command line can do without them, and the configuration can bound them', () => {
  assert.equal(deltaTermsOf({}, { ...config, deltas: false }), undefined)
  assert.equal(deltaTermsOf({ deltas: true }, { ...config, deltas: false }), undefined)
  assert.equal(deltaTermsOf({ deltas: false }, { ...config, deltas: true }), undefined)
  const deltas = { last: 1, fleet: 0, timeLimit: '1m30s', memory: 512 }
  const terms = deltaTermsOf({ deltaFleet: 'fleet.json' }, { ...config, deltas })
  const { atOnce: _, ...given } = terms ?? assert.fail('none')
  const bounds = { timeLimitMs: 90_000, memoryBytes: 512_000_000 }
  assert.deepEqual(given, { last: 1, fleet: 0, fleetFile: 'fleet.json', ...bounds })
  const { timeLimitMs = 0 } = deltaTermsOf({}, { ...config, deltas: { timeLimit: '60d' } }) ?? {}
  assert.ok(timeLimitMs > 86_400_000 && timeLimitMs < 2 ** 31, `no timer takes ${timeLimitMs} ms`)
})

test('what is no bound is refused with the name of the member', async (t) => {
  const project = await makeProject(t)
  for (const [deltas, member] of [
    ['none', /deltas/],
    [{ timeLimit: '0s' }, /deltas\.timeLimit/],
    [{ lst: 3 }, /deltas\.lst/],
    [{ fleet: 13 }, /deltas\.fleet/],
  ] as const) {
    await project.change({ deltas })
    await assert.rejects(readConfig(project.config), failsWith('ERR_CONFIG_INVALID', member))
  }
  await project.change({ deltas: { timeLimit: '30s' }, compress: 'fast' })
  assert.equal((await readConfig(project.config)).config.compress, 'fast')
})
