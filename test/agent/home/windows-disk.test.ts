// What an update does where files in use cannot be removed or replaced: on a double that has the rules of Windows.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { checkOnce } from '../../../agent/check-once.ts'
import { disk } from '../../../agent/home/disk.ts'
import { homeAt, prepareHome, versionDirectory } from '../../../agent/home/home.ts'
import { prepareLaunch } from '../../../agent/trial/launch.ts'
import { readLaunchRecord, writeLaunchRecord } from '../../../agent/home/launch-record.ts'
import { withLock } from '../../../agent/home/lock.ts'
import { programFile } from '../../../agent/home/program-file.ts'
import { settle } from '../../../agent/trial/settle.ts'
import { confirmVersion, rollBackVersion } from '../../../agent/trial/verdict.ts'
import { windowsDisk } from '../../../agent/home/windows-disk.ts'
import { BOUNDED, failureOf, type Host, makeDir, makeMachine, NAME, publish, startHost, whatRuns } from '../field.ts'
import { LockingDisk } from '../locking-disk.ts'

function makeDisk() {
  const locking = new LockingDisk()
  const waited: number[] = []
  const waits = { now: (ms: number) => void waited.push(ms), later: async (ms: number) => void waited.push(ms) }
  return { locking, waited, patient: windowsDisk(locking, waits) }
}

/** A machine on such a disk, with 1.0.0 as the program that runs. */
async function makeWindows(t: TestContext, host: Host) {
  const { locking, waited, patient } = makeDisk()
  const machine = await makeMachine(t, host)
  const home = homeAt(machine.home.path, patient)
  const settings = { ...machine.settings, home }
  const { deps } = machine
  const check = (laterMs = 0) => checkOnce(settings, { apply: true }, { ...deps, clock: () => Date.now() + laterMs })
  const programPath = (version: string): string => join(versionDirectory(home, version), NAME)
  /** As the supervisor does: what ran has ended, and what the record names runs. */
  const start = (): string => {
    locking.running.clear()
    const { version, program } = prepareLaunch(home, assert.fail)
    locking.running.add(program)
    return version
  }
  assert.equal(start(), '1.0.0')
  return { ...machine, home, settings, locking, waited, check, start, programPath }
}

describe('on a disk that locks files in use', BOUNDED, () => {
  test('an update, its confirmation and the next update need nothing that a running program forbids', async (t) => {
    const host = await startHost(t)
    const { home, settings, locking, check, start, events } = await makeWindows(t, host)
    for (const [round, version] of ['1.0.1', '1.0.2', '1.0.3', '1.0.4', '1.0.5'].entries()) {
      publish(host, { version, sequence: 10 + round })
      assert.equal((await check()).kind, 'swapped')
      assert.equal(start(), version)
      assert.ok(confirmVersion(settings, version))
    }
    assert.deepEqual(locking.refused, [])
    assert.deepEqual(fs.readdirSync(home.versions).toSorted(), ['1.0.2', '1.0.3', '1.0.4', '1.0.5'])
    assert.ok(!events.some(({ kind }) => kind === 'warning'))
    assert.ok(fs.lstatSync(home.current).isFile(), 'the pointer is no link, which would need a privilege')
  })

  test('a rollback leaves the version that failed until its program has ended, and removes it then', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, settings, locking, check, start, programPath, events } = await makeWindows(t, host)
    await check()
    assert.equal(start(), '1.0.1')
    assert.equal(rollBackVersion(home, '1.0.1', 'manual'), '1.0.0')
    await check()
    assert.ok(fs.existsSync(programPath('1.0.1')), 'it still runs')
    assert.match(events.map((event) => (event.kind === 'warning' ? event.message : '')).join(' '), /cannot tidy up/)
    assert.equal(readLaunchRecord(home.current)?.version, '1.0.0')
    assert.equal(start(), '1.0.0')
    await settle(settings, { clock: Date.now, emit: (event) => events.push(event) })
    assert.ok(!fs.existsSync(versionDirectory(home, '1.0.1')))
    assert.deepEqual(fs.readdirSync(home.staging), [])
    assert.ok(locking.refused.length > 0)
  })

  test('one version that cannot be removed does not keep the others', async (t) => {
    const host = await startHost(t)
    const { home, settings, locking, check, start, programPath } = await makeWindows(t, host)
    for (const [round, version] of ['1.0.1', '1.0.2', '1.0.3', '1.0.4'].entries()) {
      publish(host, { version, sequence: 10 + round })
      await check()
      start()
      // Programs of before that have not ended yet.
      for (const before of ['1.0.0', '1.0.1']) locking.running.add(programPath(before))
      assert.ok(confirmVersion(settings, version))
    }
    await check()
    const versions = () => fs.readdirSync(home.versions).toSorted()
    assert.deepEqual(versions(), ['1.0.0', '1.0.1', '1.0.2', '1.0.3', '1.0.4'])
    locking.running.delete(programPath('1.0.0'))
    await check()
    assert.deepEqual(versions(), ['1.0.1', '1.0.2', '1.0.3', '1.0.4'], 'the younger one is met first')
  })

  test('a repaired build of a version that still runs waits until it has ended, and nothing is lost meanwhile', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, settings, locking, check, start, programPath } = await makeWindows(t, host)
    await check()
    start()
    assert.ok(confirmVersion(settings, '1.0.1'))
    rollBackVersion(home, '1.0.1', 'manual')
    writeLaunchRecord(home.disk, home.current, { version: '1.0.0' })
    publish(host, { version: '1.0.1', sequence: 11, artifact: Buffer.from('#!/bin/sh\necho 1.0.1 repaired\n') })
    assert.ok(locking.running.has(programPath('1.0.1')))
    const before = fs.readFileSync(programPath('1.0.1'))
    assert.match((await failureOf(() => check())).code, /^ERR_STAGE_/)
    assert.deepEqual(fs.readFileSync(programPath('1.0.1')), before)
    assert.equal(whatRuns(home).launched, '1.0.0')
    assert.deepEqual(fs.readdirSync(home.staging), [])
    assert.equal(start(), '1.0.0')
    assert.equal((await check()).kind, 'swapped')
    assert.match(fs.readFileSync(programPath('1.0.1'), 'utf8'), /repaired/)
  })

  test('case 67: a scanner that has the new program open for a while holds nothing up', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, locking, waited, check } = await makeWindows(t, host)
    for (const path of [join(home.staging, '1.0.1.staged', NAME), `${home.current}.new`, `${home.state}.new`])
      locking.scanned.set(path, 3)
    assert.equal((await check()).kind, 'swapped')
    assert.equal(locking.scanned.size, 0, 'each was met')
    assert.deepEqual(waited, [10, 20, 40, 10, 20, 40, 10, 20, 40])
    assert.equal(prepareLaunch(home, assert.fail).version, '1.0.1')
  })

  test('case 67: one that never lets go is a typed failure after two seconds, and the old version runs on', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, locking, waited, check } = await makeWindows(t, host)
    const before = whatRuns(home)
    locking.scanned.set(join(home.staging, '1.0.1.staged', NAME), Number.POSITIVE_INFINITY)
    const { code, details } = await failureOf(() => check())
    assert.deepEqual([code, details['errno']], ['ERR_STAGE_IO', 'EBUSY'])
    // The rename, and the removal of what was staged.
    const once = waited.slice(0, 8)
    assert.ok(once.reduce((sum, ms) => sum + ms, 0) <= 2000)
    assert.deepEqual(waited, [...once, ...once])
    assert.deepEqual(whatRuns(home), before)
    locking.scanned.clear()
    assert.equal((await check()).kind, 'swapped')
  })

  test('what is wrong for good is not tried again', (t) => {
    const { waited, patient } = makeDisk()
    const path = makeDir(t)
    assert.throws(() => patient.rename(join(path, 'absent'), join(path, 'b')), { code: 'ENOENT' })
    fs.writeFileSync(join(path, 'there'), '')
    assert.throws(() => patient.writeFile(join(path, 'there'), Buffer.from('x'), 0o600), { code: 'EEXIST' })
    assert.deepEqual(waited, [])
  })
})

describe('a file that cannot be replaced because it runs', () => {
  function makeFiles(t: TestContext) {
    const path = makeDir(t)
    const made = { ...makeDisk(), current: join(path, 'current'), fresh: join(path, 'current.new'), path }
    fs.writeFileSync(made.current, 'old')
    fs.writeFileSync(made.fresh, 'new')
    made.locking.running.add(made.current)
    return made
  }

  test('is set aside, and removed when it has ended', (t) => {
    const { locking, patient, current, fresh, path } = makeFiles(t)
    patient.rename(fresh, current)
    assert.equal(fs.readFileSync(current, 'utf8'), 'new')
    assert.deepEqual(fs.readdirSync(path).toSorted(), ['current', 'current.old'])
    const home = homeAt(path, patient)
    prepareHome(home)
    assert.ok(fs.existsSync(`${current}.old`), 'it still runs')
    locking.running.clear()
    prepareHome(home)
    assert.ok(!fs.existsSync(`${current}.old`))
    assert.equal(fs.readFileSync(current, 'utf8'), 'new')
  })

  test('keeps its name when the new one cannot take it', (t) => {
    const { locking, patient, current, fresh } = makeFiles(t)
    let isFailing = false
    locking.beforeRename = (from, to) => {
      if (to === `${current}.old`) isFailing = true
      else if (isFailing && from === fresh) throw Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'rename' })
    }
    assert.throws(() => patient.rename(fresh, current), { code: 'EIO' })
    assert.equal(fs.readFileSync(current, 'utf8'), 'old')
    assert.ok(!fs.existsSync(`${current}.old`))
  })

  test('case 78: a crash between the two renames is mended by the launcher and by the updater, also twice', async (t) => {
    const host = await startHost(t)
    for (const isLauncher of [true, false]) {
      const { home, settings, locking, deps } = await makeWindows(t, host)
      const record = fs.readFileSync(home.current, 'utf8')
      locking.running.add(home.current)
      locking.beforeRename = (from, to) => {
        if (fs.existsSync(`${home.current}.old`) && from.endsWith('.new') && to === home.current)
          throw new Error('the process was killed')
        // What puts things back after an error is not run by a process that is dead.
        if (from === `${home.current}.old`) throw new Error('the process was killed')
      }
      const trial = { version: '1.0.0', trial: { started: 0, tries: 3 } }
      assert.throws(() => writeLaunchRecord(home.disk, home.current, trial), /killed/)
      assert.ok(!fs.existsSync(home.current) && fs.existsSync(`${home.current}.old`), 'between the two')
      const after = homeAt(home.path)
      for (let round = 0; round < 2; round += 1) {
        if (isLauncher) assert.equal(prepareLaunch(after, assert.fail).version, '1.0.0')
        else await withLock(after, () => settle({ ...settings, home: after }, deps))
        assert.equal(fs.readFileSync(home.current, 'utf8'), record)
        assert.ok(!fs.existsSync(`${home.current}.old`))
      }
    }
  })
})

describe('names on Windows and macOS', () => {
  test('a program that is one file ends in .exe where nothing else is started', () => {
    assert.equal(programFile('sensor', 'win32'), 'sensor.exe')
    assert.equal(programFile('sensor', 'darwin'), 'sensor')
  })

  test('a version that differs from the running one in case alone is not put in its place', async (t) => {
    const host = await startHost(t)
    const { home, poll } = await makeMachine(t, host)
    for (const version of ['1.0.1-RC', '1.0.1-rc']) {
      publish(host, { version, sequence: version === '1.0.1-RC' ? 10 : 11 })
      const attempt = poll()
      if (version === '1.0.1-RC') {
        assert.equal((await attempt).kind, 'swapped')
        writeLaunchRecord(disk, home.current, { version })
      } else {
        const { code, message } = await failureOf(() => attempt)
        assert.deepEqual([code, message], ['ERR_STAGE_IO', 'in use: version 1.0.1-RC'])
      }
    }
    assert.deepEqual(fs.readdirSync(home.versions), ['1.0.0', '1.0.1-RC'])
  })
})
