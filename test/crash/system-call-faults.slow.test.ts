// Kills a real process at each of its file-changing system calls, and lets each of them fail, by strace.
//
//   npx tsx --test test/crash/system-call-faults.slow.test.ts
//   FAULT_SEED=7 FAULTS=all npx tsx --test test/crash/system-call-faults.slow.test.ts
//
// Every call is hit by SIGKILL. ENOSPC and EIO hit a sample of FAULTS calls each, drawn by the seed, or all.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { bundleScript } from '../../release/build/bundle-script.ts'
import { type Host, startHost } from '../agent/field.ts'
import { randomFrom } from '../fuzz/random.ts'
import { type FaultPoint, faultPoints } from './fault-plan.ts'
import { ACCEPTED } from './offered.ts'
import { describeOperation, type Operation } from './operations.ts'
import { RecordingDisk } from './recording-disk.ts'
import { recover } from './recovery.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'
import { linkIn } from './shell-launcher.ts'
import { homeIn, LATER, layOut, makeStage, removeStage } from './stage.ts'
import { hasStrace, operationsOf, type SystemCall, trace, type Traced } from './system-calls.ts'
import { readTree, type Tree } from './tree.ts'

const SEED = Number(process.env['FAULT_SEED'] ?? randomInt(2 ** 31))
const SAMPLE = process.env['FAULTS'] === 'all' ? Infinity : Number(process.env['FAULTS'] ?? 4)
/** Calls that a full or broken disk lets fail. */
const CAN_FAIL = /^(?:open|write|pwrite|fsync|rename|mkdir|ftruncate|unlink)/
const SKIP = hasStrace() || process.env['CI'] !== undefined ? false : 'strace is not installed'

interface Step {
  readonly name: string
  /** Whose start and expectations are used. */
  readonly scenario: string
  /** Of driver.ts; absent: the launcher. */
  readonly driver?: string
  /** The last mark of the scenario. */
  readonly done: string
}

const STEPS: readonly Step[] = [
  { name: 'an update to a file', scenario: 'an update to a single file', driver: 'update', done: 'swapped' },
  { name: 'an update to a tree', scenario: 'an update to a tree', driver: 'update', done: 'swapped' },
  { name: 'an update by a delta', scenario: 'an update by a delta', driver: 'update', done: 'swapped' },
  { name: 'a rollback by verdict', scenario: 'a rollback by verdict', driver: 'roll-back', done: 'rolled back' },
  { name: 'a confirmation', scenario: 'a confirmation on the last try', driver: 'confirm', done: 'confirmed' },
  {
    name: 'the quarantine after a rollback',
    scenario: 'a failed version that is put into quarantine and removed',
    driver: 'settle',
    done: '',
  },
  { name: 'a start by the launcher', scenario: 'a start that the shell launcher counts', done: '' },
  { name: 'a rollback by the launcher', scenario: 'a rollback by the shell launcher', done: '' },
]

interface Bench {
  readonly step: Step
  readonly scenario: Scenario
  readonly root: string
  readonly host: Host
  readonly start: Tree
  readonly command: readonly string[]
  readonly points: readonly FaultPoint[]
  readonly reference: Traced
}

const totals = { killed: 0, failed: 0 }

for (const step of STEPS) {
  test(`${step.name} survives a fault of any system call`, { skip: SKIP }, async (t) => {
    const bench = await makeBench(t, step)
    const { reference, points } = bench
    assert.equal(reference.code, 0, `without a fault: ${reference.stdout}${reference.stderr}`)
    for (const point of points) await hit(bench, point, 'signal=KILL')
    const random = randomFrom(SEED)
    const failing = points.filter(({ call }) => CAN_FAIL.test(call))
    const sample = failing.filter(() => random() < SAMPLE / failing.length)
    for (const point of sample) {
      for (const errno of ['ENOSPC', 'EIO']) await hit(bench, point, `error=${errno}`)
    }
    totals.killed += points.length
    totals.failed += 2 * sample.length
    t.diagnostic(`seed ${SEED}: killed at ${points.length} calls, ENOSPC and EIO at ${sample.length} each`)
  })
}

test('the faults were many', { skip: SKIP }, (t) => {
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(totals)}`)
  assert.ok(totals.killed > 150, JSON.stringify(totals))
})

/** What the enumeration of crash states rests on: real processes do what is recorded of them, in the same order. */
for (const { driver, scenario: name } of STEPS.filter((step) => step.driver !== undefined)) {
  test(`the recording of "${name}" is what a process does to the disk`, { skip: SKIP }, async (t) => {
    const bench = await makeBench(t, STEPS.find((step) => step.scenario === name) as Step)
    const place = layOut(bench.root, 'recorded', bench.start)
    const disk = new RecordingDisk(place)
    await bench.scenario.play(place, bench.host, disk)
    const traced = operationsOf(bench.reference.calls, join(bench.root, 'place'))
    assert.deepEqual(plainLines(traced), plainLines(disk.operations), driver)
  })
}

async function makeBench(t: TestContext, step: Step): Promise<Bench> {
  const scenario = SCENARIOS.find(({ name }) => name === step.scenario)
  assert.ok(scenario !== undefined, step.scenario)
  const host = await startHost(t)
  const root = makeStage()
  t.after(() => removeStage(root))
  await scenario.prepare(layOut(root, 'prepared', new Map()), host)
  const start = readTree(join(root, 'prepared'))
  const home = homeIn(join(root, 'place')).path
  const command =
    step.driver === undefined
      ? ['dash', linkIn(root)]
      : [process.execPath, await bundleDriver(root), step.driver, home, host.url, String(LATER)]
  const reference = await run({ root, start, command })
  const points = faultPoints(reference.calls, join(root, 'place'))
  return { step, scenario, root, host, start, command, reference, points }
}

async function bundleDriver(root: string): Promise<string> {
  const entry = fileURLToPath(new URL('driver.ts', import.meta.url))
  const path = join(root, 'driver.js')
  writeFileSync(path, await bundleScript({ entry, version: '0.0.0', platform: 'linux-amd64' }))
  return path
}

async function run(
  { root, start, command }: Pick<Bench, 'root' | 'start' | 'command'>,
  inject?: { readonly fault: string; readonly path: string | undefined },
): Promise<Traced> {
  rmSync(join(root, 'place'), { recursive: true, force: true })
  const place = layOut(root, 'place', start)
  const env = { MOULT_HOME: homeIn(place).path, UV_THREADPOOL_SIZE: '1' }
  return trace(command, { log: join(root, 'trace'), env, inject })
}

async function hit(bench: Bench, point: FaultPoint, kind: string): Promise<void> {
  const { step, scenario, host, root } = bench
  const { call, path, when } = point
  const about = `seed ${SEED}: ${kind} at ${call} ${path} (${when})`
  const traced = await run(bench, { fault: `${call}:${kind}:when=${when}`, path })
  assert.ok(traced.wasKilled || traced.calls.some(({ isInjected }) => isInjected), `nothing was injected: ${about}`)
  // The launcher's own end is that of the program, and it starts one whatever fails.
  const isDone = step.driver !== undefined && traced.code === 0
  if (kind === 'error=EIO' && call === 'fsync' && path !== undefined) assertNotRetried(traced.calls, path, about)
  const home = homeIn(join(root, 'place'))
  try {
    await recover(home, host, ACCEPTED, scenario.expect(isDone ? step.done : ''))
  } catch (error) {
    throw new Error(`${about}: ended with ${traced.code} ${traced.stdout}: ${(error as Error).stack}`, { cause: error })
  }
}

/** The second flush of a file whose first one failed succeeds, and the bytes are lost all the same. */
function assertNotRetried(calls: readonly SystemCall[], path: string, about: string): void {
  const failed = calls.findIndex(({ isInjected }) => isInjected)
  const after = calls.slice(failed + 1)
  const anew = after.findIndex(({ name, text }) => name.startsWith('open') && text.includes('O_CREAT'))
  const same = anew < 0 ? after : after.slice(0, anew)
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  assert.ok(isDirectory || same.every(({ name }) => name !== 'fsync'), `flushed again: ${about}`)
}

/** Without what has no effect or differs from run to run: several writes to a file in a row are one. */
function plainLines(operations: readonly Operation[]): string[] {
  const lines = operations
    .filter(({ kind }) => kind !== 'mark' && kind !== 'touch')
    .map((operation) => (operation.kind === 'write' ? `write ${operation.path}` : describeOperation(operation)))
    .map((line) => line.replace(/^fsync-directory /, 'fsync ').replaceAll(/[0-9]+-[0-9]+-[0-9a-f-]{36}/g, 'token'))
  return lines.filter((line, index) => !(line.startsWith('write ') && line === lines[index - 1]))
}
