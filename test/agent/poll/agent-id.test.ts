import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { loadState } from '../../../agent/home/state.ts'
import { thisMachine, withAgentId } from '../../../agent/poll/agent-id.ts'
import { readRoot } from '../../../manifests/index.ts'
import { makeRoot } from '../../fixtures/signed-manifest.ts'
import { BOUNDED, makeDir, makeMachine, publish, startHost } from '../field.ts'

const MACHINE_ID = '0123456789abcdef0123456789abcdef'
const fresh = { root: readRoot(makeRoot()), floors: {}, timeFloorMs: 0, quarantine: [] }
const idOf = (hostName: string, machineId: string | undefined = MACHINE_ID, name = 'one-agent'): string =>
  withAgentId(name, fresh, { machineId, hostName }).id

describe('the id of an agent', BOUNDED, () => {
  test('is stable, differs between products, and gives the machine id away to none', () => {
    const first = withAgentId('one-agent', fresh)
    assert.match(first.id, /^[0-9a-f]{32}$/)
    assert.equal(withAgentId('one-agent', first.state).id, first.id)
    assert.notEqual(idOf('web-001', MACHINE_ID, 'other-agent'), idOf('web-001'))
    assert.equal(idOf('web-001').includes(MACHINE_ID.slice(0, 8)), false)
  })

  test('case 90: tells clones of one image apart by their host names, also by such that are not ASCII', () => {
    // The same digits by: printf 'one-agent\n0123456789abcdef0123456789abcdef\nweb-001' | sha256sum | cut -c1-32
    assert.equal(idOf('web-001'), '7137093282a05d2290d24202ea405615')
    const names = ['web-001', 'web-002', 'höst-名前', 'host-名前', 'WEB-001', '']
    assert.equal(new Set(names.map((name) => idOf(name))).size, names.length)
    assert.equal(idOf('höst-名前'), idOf('höst-名前'))
  })

  test('case 90: is random and kept in the state where the machine has none, and the same for a copy of that', async (t) => {
    const none = { machineId: undefined, hostName: 'web-001' }
    const first = withAgentId('one-agent', fresh, none)
    assert.match(first.id, /^[0-9a-f]{32}$/)
    assert.equal(first.state.fallbackId, first.id)
    assert.notEqual(withAgentId('one-agent', fresh, none).id, first.id)
    // Agents with one and the same id are one agent to a rollout: their owner gives them others by the setting `id`.
    assert.equal(withAgentId('one-agent', first.state, { ...none, hostName: 'web-002' }).id, first.id)

    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const machine = await makeMachine(t, host)
    const polls = [await machine.poll({ apply: false }), await machine.poll({ apply: false })]
    const ids = polls.map((result) => (result.kind === 'checked' ? result.facts.id : ''))
    assert.equal(new Set(ids).size, 1)
    const state = loadState(machine.home, machine.settings.root, assert.fail)
    assert.equal(withAgentId(machine.settings.root.name, state).id, ids[0])
    const named = await makeMachine(t, host, { id: 'höst-名前' })
    const found = await named.poll({ apply: false })
    assert.equal(found.kind === 'checked' && found.facts.id, 'höst-名前')
  })

  test('is made of the first file that holds a machine id, and of the host name', (t) => {
    const [first, second] = [join(makeDir(t), 'machine-id'), join(makeDir(t), 'machine-id')]
    const other = 'f'.repeat(32)
    const machineIdOf = (): string | undefined => thisMachine([first, second]).machineId
    assert.equal(machineIdOf(), undefined)
    fs.writeFileSync(second, `${other}\n`)
    assert.equal(machineIdOf(), other)
    for (const empty of ['', 'uninitialized\n', `${MACHINE_ID.toUpperCase()}\n`, '名前']) {
      fs.writeFileSync(first, empty)
      assert.equal(machineIdOf(), other)
    }
    fs.writeFileSync(first, `${MACHINE_ID}\n`)
    assert.equal(machineIdOf(), MACHINE_ID)
    assert.equal(thisMachine([first]).hostName, hostname())
  })
})
