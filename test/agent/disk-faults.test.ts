// A disk that fails at one operation of an update: every operation, one after the other.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { type Home, homeAt } from '../../agent/home/home.ts'
import { settle } from '../../agent/trial/settle.ts'
import { loadState } from '../../agent/home/state.ts'
import type { UpdateResult } from '../../agent/update.ts'
import { isMoultError, type MoultError } from '../../manifests/index.ts'
import { faultyDisk, type Fault, type Operation } from './faulty-disk.ts'
import {
  artifactOf,
  assertTidy,
  BOUNDED,
  failureOf,
  type Host,
  makeMachine,
  type Machine,
  type Offer,
  program,
  publish,
  startHost,
  whatRuns,
} from './field.ts'

const OFFER: Offer = {
  version: '1.0.1',
  sequence: 10,
  artifact: Buffer.concat([program('1.0.1'), Buffer.alloc(300_000, '#')]),
}

interface Rig {
  readonly machine: Machine
  readonly operations: Operation[]
  /** From now on the disk fails as it is told to. */
  readonly arm: (fault: Fault) => void
}

async function makeRig(t: TestContext, host: Host): Promise<Rig> {
  let fault: Fault = () => undefined
  const { disk, operations } = faultyDisk((operation, count) => fault(operation, count))
  const machine = await makeMachine(t, host)
  Object.assign(machine.settings, { home: homeAt(machine.home.path, disk) })
  return {
    machine,
    operations,
    arm: (armed) => {
      operations.length = 0
      fault = armed
    },
  }
}

/** How a poll ended: its result, or an error that has to be typed. */
async function outcomeOf(machine: Machine, about: string): Promise<UpdateResult | MoultError> {
  return machine.poll().catch((error: unknown) => {
    assert.ok(isMoultError(error), `${about}: not typed: ${error instanceof Error ? error.stack : String(error)}`)
    return error
  })
}

const inHome = (home: Home, { kind, path }: Operation): string => `${kind} ${path.slice(home.path.length + 1)}`

describe('a disk that fails', { ...BOUNDED, timeout: 240_000 }, () => {
  const codes = { EIO: 'ERR_STAGE_IO', ENOSPC: 'ERR_STAGE_SPACE', EROFS: 'ERR_STAGE_READ_ONLY', EMFILE: 'ERR_STAGE_IO' }
  for (const [errno, code] of Object.entries(codes)) {
    test(`cases 65 to 67: with ${errno} at any one operation of an update costs that poll, and no more: ${code}`, async (t) => {
      const host = await startHost(t)
      publish(host, { ...OFFER, br: errno === 'EIO' })
      const failedAt: string[] = []
      for (let at = 1; ; at += 1) {
        const { machine, operations, arm } = await makeRig(t, host)
        const { home, settings } = machine
        const before = whatRuns(home)
        arm((_, count) => (count === at ? errno : undefined))
        const outcome = await outcomeOf(machine, `${errno} at ${at}`)
        const failed = operations[at - 1]
        if (failed === undefined) break
        const about = `${errno} at ${at}: ${inHome(home, failed)}`
        failedAt.push(inHome(home, failed))
        if (isMoultError(outcome)) {
          assert.equal(outcome.code, code, `${about}: ${outcome.stack}`)
          // The record was replaced, and only its durability is in doubt: what it names is whole.
          const isRecordInDoubt = failed.kind === 'syncDirectory' && failed.path === home.path
          if (!isRecordInDoubt) assert.equal(whatRuns(home).current, before.current, about)
        } else assert.equal(outcome.kind, 'swapped', about)
        assert.match(whatRuns(home).answers, /^1\.0\.[01]$/, about)
        arm(() => undefined)
        await settle(settings, machine.deps)
        assertTidy(home, about)
        const next = await machine.poll()
        assert.ok(next.kind === 'swapped' || next.decision.kind === 'up-to-date', about)
        assert.equal(whatRuns(home).answers, '1.0.1', about)
        assert.equal(loadState(home, settings.root, assert.fail).floors['stable']?.sequence, 10, about)
        // A download that could not be removed waits for the next tidying.
        assertTidy(home, about)
        assert.ok(fs.readdirSync(home.staging).length <= 1, about)
      }
      for (const kind of [
        'writeFile state.json.new',
        'file.write staging/',
        'file.sync staging/',
        'makeDirectory staging/',
        'rename versions/1.0.1',
        'rename current',
      ]) {
        assert.ok(
          failedAt.some((operation) => operation.startsWith(kind)),
          `${kind} is not among ${failedAt.join(', ')}`,
        )
      }
    })
  }

  test('case 66: at a flush is not asked again: what the file holds is given up, and fetched anew', async (t) => {
    for (const flush of [1, 2]) {
      const host = await startHost(t)
      publish(host, OFFER)
      const { machine, operations, arm } = await makeRig(t, host)
      const before = whatRuns(machine.home)
      let flushes = 0
      arm(({ kind }) => (kind === 'file.sync' && (flushes += 1) === flush ? 'EIO' : undefined))
      const error = await failureOf(() => machine.poll())
      assert.equal(error.code, 'ERR_STAGE_IO')
      assert.equal(error.retryable, true)
      const isSync = ({ kind }: Operation): boolean => kind === 'file.sync'
      const failed = operations.filter(isSync).at(-1)
      assert.equal(operations.filter(isSync).length, flush, 'flushed again')
      assert.ok(failed !== undefined && operations.at(-1)?.kind === 'removeTree', 'what it holds is removed')
      assert.deepEqual(fs.readdirSync(machine.home.staging), [])
      assert.deepEqual(whatRuns(machine.home), before)
      assertTidy(machine.home)
      host.drain()
      arm(() => undefined)
      assert.equal((await machine.poll()).kind, 'swapped')
      assert.deepEqual(host.drain(), ['version.json', '1.0.1.bin'])
    }
  })

  test('case 66: as what was written is read back gives an error of the disk, not of the bytes', async (t) => {
    const host = await startHost(t)
    publish(host, OFFER)
    const { machine, arm } = await makeRig(t, host)
    const before = whatRuns(machine.home)
    arm(({ kind }) => (kind === 'file.read' ? 'EIO' : undefined))
    const error = await failureOf(() => machine.poll())
    assert.equal(error.code, 'ERR_STAGE_IO')
    assert.deepEqual(whatRuns(machine.home), before)
    assert.deepEqual(fs.readdirSync(machine.home.staging), [])
    arm(() => undefined)
    assert.equal((await machine.poll()).kind, 'swapped')
  })

  test('case 65: at each of ten polls keeps nothing of any of them', async (t) => {
    const host = await startHost(t)
    publish(host, OFFER)
    const { machine, arm } = await makeRig(t, host)
    const { home } = machine
    const sizeOf = (): number =>
      fs
        .readdirSync(home.path, { recursive: true, encoding: 'utf8' })
        .reduce((sum, name) => sum + fs.statSync(join(home.path, name)).size, 0)
    const sizes: number[] = []
    for (const kind of ['file.write', 'writeFile', 'makeDirectory', 'file.sync', 'rename'] as const) {
      for (let poll = 0; poll < 2; poll += 1) {
        arm((operation) => (operation.kind === kind && operation.path.startsWith(home.staging) ? 'ENOSPC' : undefined))
        await machine.poll().catch((error: unknown) => assert.ok(isMoultError(error)))
        assert.deepEqual(fs.readdirSync(home.staging), [], kind)
        sizes.push(sizeOf())
      }
    }
    assert.ok(Math.max(...sizes) - Math.min(...sizes) < 1000, sizes.join())
    assert.ok(Math.max(...sizes) < artifactOf(OFFER).length)
  })
})
