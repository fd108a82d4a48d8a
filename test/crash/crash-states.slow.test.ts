// Records what an updater does to a disk, builds every state that a power cut or a kill may leave of it, and lets a
// machine start from each.
//
//   npx tsx --test test/crash/crash-states.slow.test.ts
//   CRASH_SEED=7 CRASH_STATES=all CRASH_ONLY='a tree' npx tsx --test test/crash/crash-states.slow.test.ts
//
// Each state goes through the launcher and the updater's first steps; of those as many as CRASH_STATES says for each
// scenario, drawn by the seed, through a poll as well.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { rmSync } from 'node:fs'
import test from 'node:test'

import { readIfPossible } from '../../agent/home/durable-file.ts'
import { type Host, startHost } from '../agent/field.ts'
import { randomFrom } from '../fuzz/random.ts'
import { type CrashState, enumerateCrashStates } from './crash-states.ts'
import { ACCEPTED } from './offered.ts'
import { describeOperation, type Operation } from './operations.ts'
import { RecordingDisk } from './recording-disk.ts'
import { type Expectation, launched, recover } from './recovery.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'
import { launchByShell, SHELLS } from './shell-launcher.ts'
import { homeIn, layOut, makeStage, removeStage } from './stage.ts'
import { describeTree, hashTree, readTree, type Tree } from './tree.ts'

const SEED = Number(process.env['CRASH_SEED'] ?? randomInt(2 ** 31))
const POLLS_MAX = process.env['CRASH_STATES'] === 'all' ? Infinity : Number(process.env['CRASH_STATES'] ?? 24)
const ONLY = process.env['CRASH_ONLY'] ?? ''
const SHELLS_MAX = process.env['CRASH_STATES'] === 'all' ? Infinity : 12
const CRASHES_IN_RECOVERY = 4
const STATES_OF_RECOVERY = process.env['CRASH_STATES'] === 'all' ? Infinity : 12

const totals = { generated: 0, states: 0, polls: 0, byShell: 0, inRecovery: 0 }

for (const scenario of SCENARIOS.filter(({ name }) => name.includes(ONLY))) {
  test(`${scenario.name} survives a crash at any point`, async (t) => {
    const random = randomFrom(SEED)
    const host = await startHost(t)
    const root = makeStage()
    t.after(() => removeStage(root))
    const { start, operations } = await record(scenario, root, host)
    const { states, generated } = enumerateCrashStates(start, operations, random)
    scenario.meanwhile?.(host)
    const polled = sample(states, POLLS_MAX, random)
    for (const state of states) {
      await checkState(root, host, state, scenario.expect(state.mark), operations, polled.has(state))
    }
    const started = launchByShells(root, sample(states, SHELLS_MAX, random))
    const inRecovery = await crashInRecovery(root, host, scenario, states, random)
    totals.generated += generated
    totals.states += states.length
    totals.polls += polled.size
    totals.byShell += started
    totals.inRecovery += inRecovery
    t.diagnostic(
      `seed ${SEED}: ${operations.length} operations, ${generated} states made, ${states.length} different ones checked, ` +
        `${polled.size} with a poll, ${started} starts by a shell; ${inRecovery} states of crashes in the recovery`,
    )
  })
}

test('the states were many', (t) => {
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(totals)}`)
  if (ONLY === '') assert.ok(totals.states + totals.inRecovery > 3000, JSON.stringify(totals))
})

async function record(scenario: Scenario, root: string, host: Host): Promise<{ start: Tree; operations: Operation[] }> {
  const place = layOut(root, 'recorded', new Map())
  await scenario.prepare(place, host)
  const start = readTree(place)
  const disk = new RecordingDisk(place)
  await scenario.play(place, host, disk)
  assertComplete(start, disk.operations, place)
  return { start, operations: disk.operations }
}

/** What changed on the real disk is what was recorded: nothing got past the port. */
function assertComplete(start: Tree, operations: readonly Operation[], place: string): void {
  const { end } = enumerateCrashStates(start, operations, () => 0)
  const actual = readTree(place)
  if (hashTree(end) !== hashTree(actual))
    assert.equal(describeTree(end), describeTree(actual), 'a change got past the port')
  assert.equal(hashTree(end), hashTree(actual), 'a change got past the port')
}

async function checkState(
  root: string,
  host: Host,
  state: CrashState,
  expected: Expectation,
  operations: readonly Operation[],
  isPolling: boolean,
): Promise<void> {
  const place = layOut(root, 'state', state.tree)
  try {
    await recover(homeIn(place), host, ACCEPTED, expected, isPolling)
  } catch (error) {
    const done = operations.slice(0, state.after).map(describeOperation).join('\n')
    const about = `seed ${SEED}, after operation ${state.after} (mark "${state.mark}")`
    throw new Error(
      `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n${about}:\n${done}\n\n${describeTree(state.tree)}`,
      {
        cause: error,
      },
    )
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** The launcher in shell does as its twin does: the same choice, and the same launch record. */
function launchByShells(root: string, states: ReadonlySet<CrashState>): number {
  const places = [...states].map(({ tree }, index) => layOut(root, `twin-${index}`, tree))
  const chosen = places.map((place) => {
    const launch = launched(homeIn(place), ACCEPTED)
    return { said: launch === undefined ? '' : `ran ${launch.version}`, record: recordIn(place) }
  })
  for (const place of places) rmSync(place, { recursive: true })
  for (const shell of SHELLS) {
    const own = [...states].map(({ tree }, index) => layOut(root, `twin-${index}`, tree))
    const said = launchByShell(
      root,
      own.map((place) => homeIn(place).path),
      shell,
    )
    for (const [index, place] of own.entries()) {
      const result = { said: said.get(homeIn(place).path), record: recordIn(place) }
      assert.deepEqual(result, chosen[index], `seed ${SEED}: ${shell.join(' ')} and its twin differ`)
      rmSync(place, { recursive: true })
    }
  }
  return states.size * SHELLS.length
}

/** The launch record, whatever the order of its lines. */
function recordIn(place: string): readonly string[] {
  const record = readIfPossible(homeIn(place).current)?.toString() ?? ''
  return record.split('\n').toSorted()
}

/** The power fails again while the machine recovers. @returns how many states of that were checked */
async function crashInRecovery(
  root: string,
  host: Host,
  scenario: Scenario,
  states: readonly CrashState[],
  random: () => number,
): Promise<number> {
  let checked = 0
  for (const first of sample(states, CRASHES_IN_RECOVERY, random)) {
    const expected = scenario.expect(first.mark)
    const place = layOut(root, 'recovering', first.tree)
    const start = readTree(place)
    const disk = new RecordingDisk(place)
    await recover(homeIn(place, disk), host, ACCEPTED, expected)
    assertComplete(start, disk.operations, place)
    rmSync(place, { recursive: true, force: true })
    const { states: second } = enumerateCrashStates(start, disk.operations, random)
    const both = { ...expected, mayRun: [...expected.mayRun, ...expected.finally] }
    for (const state of sample(second, STATES_OF_RECOVERY, random)) {
      await checkState(root, host, state, both, disk.operations, true)
      checked += 1
    }
  }
  return checked
}

function sample<T>(items: readonly T[], count: number, random: () => number): ReadonlySet<T> {
  if (items.length <= count) return new Set(items)
  const picked = new Set<T>()
  while (picked.size < count) picked.add(items[Math.floor(random() * items.length)] as T)
  return picked
}
