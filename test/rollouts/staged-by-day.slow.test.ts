// The commands of docs/rollouts/staged-by-day.md, with twenty machines whose buckets are one in each twentieth.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'

import { Fleet, idsAcross, storyOf } from './fleet.ts'

const COUNT = 20
const NAMES = Array.from({ length: COUNT }, (_, index) => `m${String(index).padStart(2, '0')}`)
const program = (version: string): string => `#!/bin/sh\necho sensor ${version}\n`

/** What each machine is to tell while the first of them have the new version. */
function firstHave(count: number, version: string): Record<string, string> {
  return Object.fromEntries(NAMES.map((name, index) => [name, index < count ? version : '1.0.0']))
}

describe('docs/rollouts/staged-by-day.md', { timeout: 300_000 }, () => {
  let fleet: Fleet
  before(async () => {
    fleet = new Fleet('staged-by-day.md')
    await fleet.open(program('1.0.0'))
    await fleet.install(NAMES)
    fleet.bring('1.1.0', program('1.1.0'))
  })
  after(() => fleet.close())

  test('at first 5 percent have it, and the preview and each machine say when the others will', async () => {
    assert.match(await fleet.next('project'), /^Held-back agents are offered 1\.0\.0$/m)
    const { release, stages } = fleet.rollout()
    assert.deepEqual(
      stages.map(({ percent }) => percent),
      [5, 25, 50, 100],
    )
    // The buckets of a release are known when it is signed.
    const ids = idsAcross(release, COUNT)
    for (const [index, machine] of fleet.machines.entries()) fleet.settle(machine, { id: ids[index] })
    assert.deepEqual(await fleet.round(), firstHave(1, '1.1.0'))

    writeFileSync(fleet.scene.path('project/fleet.txt'), ids.join('\n'))
    const preview = await fleet.next('project')
    const curve = [...preview.matchAll(/ (\d+\.\d) % +(\d+)$/gm)].map(([, percent, agents]) => [percent, agents])
    for (const row of [
      ['5.0', '1'],
      ['25.0', '5'],
      ['50.0', '10'],
      ['100.0', '20'],
    ])
      assert.ok(
        curve.some((one) => one.join() === row.join()),
        `${row.join()}\n${preview}`,
      )

    const [machine] = fleet.machines.slice(7)
    assert.ok(machine !== undefined)
    const explained = await fleet.atOk(machine, fleet.block('machine'))
    assert.match(explained, new RegExp(`^decision +wait: stage until ${stages[2]?.at}$`, 'm'))
  })

  test('what is installed today gets the version before, unless it is among the first', async () => {
    const command = fleet.block('newcomer')
    const [first = '', ...rest] = idsAcross(fleet.rollout().release, COUNT)
    const outside = fleet.make('outside', { id: rest.at(-1) })
    const inside = fleet.make('inside', { id: first })
    assert.match(await fleet.atOk(outside, command), /^Installed sensor 1\.0\.0 /m)
    assert.match(await fleet.atOk(inside, command), /^Installed sensor 1\.1\.0 /m)
    assert.deepEqual(await fleet.round([outside, inside]), { outside: '1.0.0', inside: '1.1.0' })
  })

  test('on the second day 25 percent have it, and nothing was published for that', async () => {
    const { sequence } = fleet.rollout()
    fleet.pass(24)
    assert.deepEqual(await fleet.round(), firstHave(5, '1.1.0'))
    assert.equal(fleet.rollout().sequence, sequence)
  })

  test('case 91: a pause moves nobody and takes nobody back, also when a stage would have begun', async () => {
    const before = fleet.rollout()
    assert.match(await fleet.next('project'), /^Paused: nobody installs it/m)
    fleet.pass(24)
    assert.deepEqual(await fleet.round(), firstHave(5, '1.1.0'))
    const { stages, sequence } = fleet.rollout()
    assert.deepEqual([stages, sequence], [before.stages, before.sequence + 1])
  })

  test('after it the stages go on, as much later', async () => {
    const before = fleet.rollout()
    const status = await fleet.next('project')
    const { stages } = fleet.rollout()
    const delays = stages.map(({ at }, index) => Date.parse(at) - Date.parse(before.stages[index]?.at ?? ''))
    assert.deepEqual(delays.slice(0, 2), [0, 0])
    for (const delayMs of delays.slice(2)) assert.ok(delayMs >= 24 * 3_600_000, `${delayMs}`)
    assert.match(status, new RegExp(`^ +50 % from ${stages[2]?.at}$`, 'm'))
    fleet.pass(24)
    assert.deepEqual(await fleet.round(), firstHave(10, '1.1.0'))
  })

  test('other stages from now on, in the end all have it, and the history tells the story', async () => {
    const history = await fleet.next('project')
    assert.deepEqual(
      fleet.rollout().stages.map(({ percent }) => percent),
      [50, 100],
    )
    fleet.pass(12)
    assert.deepEqual(await fleet.round(), firstHave(COUNT, '1.1.0'))
    assert.deepEqual(storyOf(history), [
      'stages changed',
      'resumed',
      'paused',
      'released 1.1.0 at 5 -> 25 -> 50 -> 100 %',
      'released 1.0.0 at 100 %',
    ])
    fleet.assertPlayed()
  })
})
