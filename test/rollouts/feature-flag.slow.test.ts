// The commands and the program of docs/rollouts/feature-flag.md, with four machines whose programs have an updater inside.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'

import { type Started, until } from '../helpers/moult.ts'
import { Fleet, idsAcross, type Machine, storyOf } from './fleet.ts'

const BOUNDED = { timeout: 300_000 }
const canSkip = process.env['CI'] === undefined && spawnSync('jq', ['--version']).status !== 0

/** @param collect a line that says how it works */
const program = (collect: string): string => `
import { eventText, Updater } from 'moult/agent'
declare const __MOULT_VERSION__: string
if (process.argv.includes('--version')) console.log(__MOULT_VERSION__)
else {
  const updater = new Updater({ version: __MOULT_VERSION__, onEvent: (event) => console.log(eventText(event)) })
  updater.start()
  ${collect}
  console.log('starts', __MOULT_VERSION__)
  let told: string | undefined
  setInterval(() => {
    const way = collect()
    if (way !== told) console.log(__MOULT_VERSION__, 'collects by', way)
    told = way
  }, 100)
}
`

describe('docs/rollouts/feature-flag.md', { ...BOUNDED, skip: canSkip && 'jq is not installed' }, () => {
  let fleet: Fleet
  /** One machine within a quarter of the fleet, one beyond it, and one within it in Berlin. */
  const names = ['early', 'late', 'berlin'] as const
  const machines = new Map<string, Machine>()
  const processes = new Map<string, Started>()
  before(async () => {
    fleet = new Fleet('feature-flag.md')
    await fleet.open(program("const collect = () => 'legacy'"), 'script')
    const [within, , , beyond] = idsAcross('flag:osquery', 4)
    const settings = {
      early: { id: within },
      late: { id: beyond },
      berlin: { id: within, labels: { site: 'berlin' } },
    }
    const installed = await fleet.install(names)
    for (const [index, name] of names.entries()) {
      const machine = installed[index] as Machine
      machines.set(name, machine)
      fleet.settle(machine, { ...settings[name], probation: '1s', tries: 2 })
      processes.set(name, fleet.supervise(machine, 'launcher'))
    }
  })
  after(() => fleet?.close())

  const lines = (name: string): readonly string[] => processes.get(name)?.lines ?? []
  /** All that a program has said of how it collects. */
  const ways = (name: string): string[] =>
    lines(name).flatMap((line) => /^(\S+) collects by (\S+)$/.exec(line)?.[0] ?? [])
  const saysThen = async (name: string, said: readonly string[]): Promise<void> => {
    const says = (): string => `; it said:\n${lines(name).slice(-40).join('\n')}`
    await until(`${name} to say: ${said.at(-1)}`, () => ways(name).length >= said.length, 60_000, says)
    assert.deepEqual(ways(name), said)
  }
  const on = (name: string, commands: string): Promise<string> =>
    fleet.atOk(machines.get(name) ?? assert.fail(name), commands)
  const polled = (): Promise<void> => fleet.polled([...machines.values()])

  const LEGACY = ['1.0.0 collects by legacy', '1.1.0 collects by legacy']
  let reads = ''

  test('the code is released first, and works as before where there is no flag', async () => {
    fleet.bring('1.1.0', program(fleet.block('program').trim()))
    reads = fleet.block('machine')
    for (const name of names) await saysThen(name, LEGACY.slice(0, 1))
    await fleet.next('project')
    for (const name of names) {
      await saysThen(name, LEGACY)
      await processes.get(name)?.line(/^Confirmed: 1\.1\.0$/, 60_000)
      assert.equal(await on(name, reads), 'null\n')
    }
  })

  test('a flag reaches its share of the programs while they run, and not where a rule says otherwise', async () => {
    await fleet.next('project')
    await polled()
    await saysThen('early', [...LEGACY, '1.1.0 collects by osquery'])
    const told = await Promise.all(names.map((name) => on(name, reads)))
    assert.deepEqual(told, ['true\n', 'null\n', 'false\n'])
    for (const name of ['late', 'berlin']) assert.deepEqual(ways(name), LEGACY)

    const asks = fleet.block('machine')
    assert.match(await on('early', asks), /^osquery = true$[^]*^flag +osquery = true$/m)
    assert.match(await on('late', asks), /^This agent has no flags$/m)
    assert.match(await on('berlin', asks), /^osquery = false$[^]*^rule +1 of 1, for flag osquery: /m)
  })

  test('it can be for all others, and for nobody again, by the same version in the same process', async () => {
    await fleet.next('project')
    await saysThen('late', [...LEGACY, '1.1.0 collects by osquery'])
    await polled()
    const history = await fleet.next('project')
    for (const name of ['early', 'late'])
      await saysThen(name, [...LEGACY, '1.1.0 collects by osquery', '1.1.0 collects by legacy'])
    await polled()
    assert.deepEqual(ways('berlin'), LEGACY)
    for (const name of names) {
      assert.deepEqual(
        lines(name).filter((line) => line.startsWith('starts ')),
        ['starts 1.0.0', 'starts 1.1.0'],
      )
      assert.equal(await on(name, reads), 'null\n')
    }
    assert.deepEqual(storyOf(history), [
      'flags changed, rules changed',
      'flags changed',
      'flags changed, rules changed',
      'released 1.1.0 at 100 %',
      'released 1.0.0 at 100 %',
    ])
    fleet.assertPlayed()
  })
})
