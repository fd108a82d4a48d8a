// The commands of docs/rollouts/ab-test.md, with ten machines: first one in each tenth of a flag's buckets, then of a release's.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { Fleet, idsAcross, INSTALL, inTurns, storyOf } from './fleet.ts'

const COUNT = 10
const NAMES = Array.from({ length: COUNT }, (_, index) => `m${index}`)
/** Tells its version and the side that it is on, by the file for programs that have no updater inside. */
const program = (version: string): string => `#!/bin/sh
if [ "$1" = --version ]; then echo sensor ${version}; exit; fi
echo sensor ${version} $(sed -n 's/.*"parser": *"\\([a-z]*\\)".*/\\1/p' "$MOULT_HOME/flags.json")
`

/** What the machines are to tell: the first of them one thing, the rest another. */
function sides(first: string, count: number, rest = ''): Record<string, string> {
  return Object.fromEntries(NAMES.map((name, index) => [name, index < count ? first : rest]))
}

describe('docs/rollouts/ab-test.md', { timeout: 300_000 }, () => {
  let fleet: Fleet
  const settle = (salt: string): void => {
    const ids = idsAcross(salt, COUNT)
    for (const [index, machine] of fleet.machines.entries()) fleet.settle(machine, { id: ids[index] })
  }
  before(async () => {
    fleet = new Fleet('ab-test.md')
    await fleet.open(program('1.0.0'))
    await fleet.install(NAMES)
    for (const version of ['1.1.0', '1.2.0']) fleet.bring(version, program(version))
    settle('flag:parser')
  })
  after(() => fleet.close())

  test('each half has one value of the flag, without a new version', async () => {
    await fleet.next('project')
    assert.deepEqual(await fleet.round(), sides('1.0.0 new', 5, '1.0.0 old'))
    const command = fleet.block('machine')
    const told = await inTurns(fleet.machines, (machine) => fleet.atOk(machine, command))
    assert.deepEqual(
      told,
      NAMES.map((_, index) => `parser = ${index < 5 ? 'new' : 'old'}\n`),
    )
  })

  test('a release changes the sides of nobody', async () => {
    await fleet.next('project')
    assert.deepEqual(await fleet.round(), sides('1.1.0 new', 5, '1.1.0 old'))
  })

  test('as the share of a value grows, who has it keeps it, until all have it', async () => {
    await fleet.next('project')
    assert.deepEqual(await fleet.round(), sides('1.1.0 new', 9, '1.1.0 old'))
    await fleet.next('project')
    assert.deepEqual(await fleet.round(), sides('1.1.0 new', COUNT))
  })

  test('two versions run side by side, and what is installed meanwhile gets that of its side', async () => {
    await fleet.next('project')
    const { release } = fleet.rollout()
    settle(release)
    assert.deepEqual(await fleet.round(), sides('1.2.0 new', 5, '1.1.0 new'))
    const ids = idsAcross(release, COUNT)
    const newcomers = [fleet.make('inside', { id: ids[0] }), fleet.make('outside', { id: ids.at(-1) })]
    await inTurns(newcomers, (machine) => fleet.atOk(machine, INSTALL))
    assert.deepEqual(await fleet.round(newcomers), { inside: '1.2.0 new', outside: '1.1.0 new' })
  })

  test('then all run the one, or all the other, and the history tells the story', async () => {
    await fleet.next('project')
    assert.deepEqual(await fleet.round(), sides('1.2.0 new', COUNT))
    const history = await fleet.next('project')
    assert.deepEqual(await fleet.round(), sides('1.1.0 new', COUNT))
    assert.deepEqual(storyOf(history), [
      'rolled back to 1.1.0 at 100 %',
      'widened 50 -> 100 %',
      'released 1.2.0 at 50 %',
      'flags changed',
      'flags changed',
      'released 1.1.0 at 100 %',
      'flags changed',
      'released 1.0.0 at 100 %',
    ])
    fleet.assertPlayed()
  })
})
