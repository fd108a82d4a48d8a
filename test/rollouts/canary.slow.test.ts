// The commands of docs/rollouts/canary.md, with six machines whose programs run and are kept up to date the whole time.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import type { Started } from '../helpers/moult.ts'
import { Fleet, type Machine, storyOf } from './fleet.ts'

const CANARIES = ['canary-1', 'canary-2']
const OTHERS = ['web-1', 'web-2', 'web-3', 'web-4']

const program = (version: string): string => `#!/bin/sh
if [ "$1" = --version ]; then echo sensor ${version}; exit; fi
echo sensor ${version} works
trap 'exit 0' TERM
while :; do sleep 0.2; done
`
/** Answers what it is asked before it is installed, and fails at its work. */
const broken = (version: string): string => `#!/bin/sh
echo sensor ${version} works not
[ "$1" = --version ]
`

describe('docs/rollouts/canary.md', { timeout: 300_000 }, () => {
  let fleet: Fleet
  let canaries: Machine[] = []
  let others: Machine[] = []
  const processes = new Map<Machine, Started>()
  before(async () => {
    fleet = new Fleet('canary.md')
    await fleet.open(program('1.0.0'))
    fleet.bring('1.1.0', broken('1.1.0'))
    fleet.bring('1.1.1', program('1.1.1'))
  })
  after(() => fleet.close())

  const works = async (machines: readonly Machine[], version: string): Promise<void> => {
    const line = new RegExp(`^sensor ${version.replaceAll('.', '\\.')} works$`)
    for (const machine of machines) await processes.get(machine)?.line(line, 60_000)
  }
  /** The versions whose programs have been at work, in their order. */
  const worked = (machine: Machine): string[] => {
    const lines = processes.get(machine)?.lines ?? []
    return lines.flatMap((line) => /^sensor (\S+) works$/.exec(line)?.[1] ?? [])
  }
  const runs = (machine: Machine): string | undefined => worked(machine).at(-1)

  test('machines that are called canaries, and others, all run 1.0.0', async () => {
    const command = fleet.block('canary')
    canaries = await fleet.install(CANARIES, { command })
    others = await fleet.install(OTHERS)
    for (const machine of [...canaries, ...others]) {
      fleet.settle(machine, { probation: '1s', tries: 2 })
      processes.set(machine, fleet.supervise(machine, 'moult'))
    }
    await works([...canaries, ...others], '1.0.0')
  })

  test('a bad release reaches the canaries alone, and they go back by themselves', async () => {
    await fleet.next('project')
    for (const machine of canaries)
      await processes.get(machine)?.line(/^Rolled back: 1\.1\.0 \(tries\), running 1\.0\.0$/, 60_000)
    await fleet.polled([...canaries, ...others])
    const status = fleet.block('canary')
    for (const machine of canaries) {
      const told = await fleet.atOk(machine, status)
      assert.match(told, /^sensor 1\.0\.0/m)
      assert.match(told, /1\.1\.0.*tries/m)
    }
    for (const machine of others) assert.deepEqual(worked(machine), ['1.0.0'])
  })

  test('a pause in time keeps it from the others, also when their day has come', async () => {
    await fleet.next('project')
    fleet.pass(25)
    await fleet.polled([...canaries, ...others])
    for (const machine of others) {
      assert.equal((await fleet.status(machine)).reason, 'paused')
      assert.deepEqual(worked(machine), ['1.0.0'])
    }
  })

  test('the repaired release goes to the canaries at once, and to the others a day later', async () => {
    const status = await fleet.next('project')
    assert.match(status, /^Rule: agents with label ring canary: 100 %/m)
    assert.match(status, /^Held-back agents are offered 1\.0\.0$/m)
    await works(canaries, '1.1.1')
    for (const machine of canaries) await processes.get(machine)?.line(/^Confirmed: 1\.1\.1$/, 60_000)
    await fleet.polled(others)
    for (const machine of others) {
      assert.equal((await fleet.status(machine)).reason, 'stage')
      assert.deepEqual(worked(machine), ['1.0.0'])
    }
    fleet.pass(24)
    await works(others, '1.1.1')
    for (const machine of others) await processes.get(machine)?.line(/^Confirmed: 1\.1\.1$/, 60_000)
  })

  test('a rollback takes all of them back, and the history tells the story', async () => {
    await fleet.next('project')
    const all = [...canaries, ...others]
    for (const machine of all) await processes.get(machine)?.line(/^Confirmed: 1\.0\.0$/, 60_000)
    await fleet.polled(all)
    assert.deepEqual(
      all.map((machine) => runs(machine)),
      all.map(() => '1.0.0'),
    )
    const history = await fleet.next('project')
    assert.deepEqual(storyOf(history), [
      'rolled back to 1.0.0 at 100 %',
      'released 1.1.1 at 0 -> 100 %, resumed',
      'paused',
      'released 1.1.0 at 0 -> 100 %, rules changed',
      'released 1.0.0 at 100 %',
    ])
    fleet.assertPlayed()
  })
})
