// Real disks that are full, read-only, closed to this user or unfit to run programs from; real limits of a process.
// Needs root and the right to mount.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { homeAt, prepareHome } from '../../agent/home/home.ts'
import { settle } from '../../agent/trial/settle.ts'
import { noRoot } from './as-root.ts'
import {
  assertTidy,
  failureOf,
  makeDir,
  makeMachine,
  mountTmpfs,
  type Offer,
  program,
  publish,
  startHost,
  whatRuns,
} from './field.ts'
import { startPoll } from './poll-process.ts'
import { archive } from './tar-bytes.ts'

const OTHER_UID = 65_534
const MEBIBYTE = 1024 * 1024
const NEXT: Offer = { version: '1.0.1', sequence: 10 }
const LARGE: Offer = { ...NEXT, artifact: Buffer.concat([program('1.0.1'), Buffer.alloc(6 * MEBIBYTE, '#')]) }

function mount(...args: string[]): void {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

function tmpfs(t: TestContext, size: string): string {
  const path = mountTmpfs(t, size)
  assert.ok(path !== undefined, 'no right to mount')
  return path
}

function usedBytes(path: string): number {
  const { blocks, bfree, bsize } = fs.statfsSync(path)
  return (blocks - bfree) * bsize
}

describe('a disk', { timeout: 300_000, concurrency: 2, skip: noRoot() }, () => {
  test('case 65: that fills up at each of twenty polls is no fuller after the last than after the first', async (t) => {
    const mounted = tmpfs(t, '40m')
    const host = await startHost(t)
    publish(host, LARGE)
    const { home, poll } = await makeMachine(t, host, {}, join(mounted, 'home'))
    const before = whatRuns(home)
    const filler = join(mounted, 'filler')
    const used: number[] = []
    const sound = host.answers.get('1.0.1.bin')
    for (let round = 0; round < 20; round += 1) {
      host.answer('1.0.1.bin', (_, response) => {
        // Someone else takes the room while the download is under way.
        const { bavail, bsize } = fs.statfsSync(mounted)
        fs.writeFileSync(filler, Buffer.alloc(bavail * bsize - 3 * MEBIBYTE))
        response.end(LARGE.artifact)
      })
      const error = await failureOf(() => poll())
      assert.equal(error.code, 'ERR_STAGE_SPACE', error.stack)
      fs.rmSync(filler)
      used.push(usedBytes(mounted))
      assert.deepEqual(fs.readdirSync(home.staging), [])
    }
    assert.equal(used.at(-1), used[0], used.join())
    assert.deepEqual(whatRuns(home), before)
    assertTidy(home)
    if (sound !== undefined) host.answer('1.0.1.bin', sound)
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 65: without room for one more directory says that it is full', async (t) => {
    const mounted = fs.mkdtempSync(join(tmpdir(), 'moult-agent-'))
    t.after(() => {
      spawnSync('umount', ['-l', mounted])
      fs.rmSync(mounted, { recursive: true, force: true })
    })
    mount('-t', 'tmpfs', '-o', 'size=40m,nr_inodes=60', 'none', mounted)
    const host = await startHost(t)
    const tree = (files: number): Buffer =>
      archive(
        { name: 'agent', body: program('1.0.1'), mode: 0o755 },
        ...Array.from({ length: files }, (_, index) => ({ name: `d${index}/`, type: '5' })),
      )
    const binary = { unpack: 'tar', entry: 'agent' }
    publish(host, { ...NEXT, artifact: tree(100), binary })
    const { home, poll } = await makeMachine(t, host, {}, join(mounted, 'home'))
    const before = whatRuns(home)
    const error = await failureOf(() => poll())
    assert.equal(error.code, 'ERR_STAGE_SPACE', error.stack)
    assert.deepEqual(whatRuns(home), before)
    assert.deepEqual(fs.readdirSync(home.staging), [])
    publish(host, { ...NEXT, sequence: 11, artifact: tree(5), binary })
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 60: of a gigabyte takes no artifact of two: nothing of it is asked for', async (t) => {
    const mounted = tmpfs(t, '1g')
    const host = await startHost(t)
    publish(host, { ...NEXT, binary: { size: 2 * 1024 * MEBIBYTE } })
    const limits = { maxPackageSize: 4 * 1024 * MEBIBYTE }
    const { home, poll } = await makeMachine(t, host, limits, join(mounted, 'home'))
    const before = whatRuns(home)
    const error = await failureOf(() => poll())
    assert.equal(error.code, 'ERR_STAGE_SPACE')
    assert.deepEqual(error.details['needed'], 2 * 1024 * MEBIBYTE)
    assert.deepEqual(host.drain(), ['version.json'])
    assert.deepEqual(whatRuns(home), before)
    publish(host, { ...NEXT, sequence: 11 })
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 60: on which this process may write no large file is as good as full', async (t) => {
    const host = await startHost(t)
    publish(host, LARGE)
    const { home } = await makeMachine(t, host)
    const before = whatRuns(home)
    const options = { home: home.path, server: host.url }
    // In blocks of 512 or 1024 bytes: less than 6 MiB either way, and more than the state.
    const outcome = await startPoll(t, { ...options, before: 'ulimit -f 2000' }).outcome
    assert.match(outcome, /^ERR_STAGE_SPACE EFBIG/)
    assert.deepEqual(whatRuns(home), before)
    assertTidy(home)
    assert.deepEqual(fs.readdirSync(home.staging), [])
    assert.equal(await startPoll(t, options).outcome, 'swapped')
  })

  test('case 67: that is read-only is told from one that is full, and from one that fails', async (t) => {
    const mounted = tmpfs(t, '64m')
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll, settings, deps } = await makeMachine(t, host, {}, join(mounted, 'home'))
    const before = whatRuns(home)
    mount('-o', 'remount,ro', mounted)
    for (const work of [() => poll(), () => settle({ ...settings, home }, deps).then(() => poll())]) {
      const error = await failureOf(work)
      assert.equal(error.code, 'ERR_STAGE_READ_ONLY', error.stack)
      assert.match(error.message, /EROFS/)
    }
    assert.deepEqual(whatRuns(home), before)
    mount('-o', 'remount,rw', mounted)
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 67: that a bind mount makes read-only, as a pod does, is no different', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll } = await makeMachine(t, host)
    const before = whatRuns(home)
    mount('--bind', home.path, home.path)
    t.after(() => spawnSync('umount', ['-l', home.path]))
    mount('-o', 'remount,bind,ro', home.path)
    assert.equal((await failureOf(() => poll())).code, 'ERR_STAGE_READ_ONLY')
    assert.deepEqual(whatRuns(home), before)
    spawnSync('umount', ['-l', home.path])
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 67: of which another user owns home, or a directory in it, is refused and left alone', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home } = await makeMachine(t, host)
    const before = whatRuns(home)
    fs.chmodSync(join(home.path, '..'), 0o755)
    // For reading only, as its settings and its state would be.
    for (const path of [home.root, home.state]) if (fs.existsSync(path)) fs.chmodSync(path, 0o644)
    const options = { home: home.path, server: host.url }
    assert.match(await startPoll(t, { ...options, uid: OTHER_UID }).outcome, /^ERR_STAGE_READ_ONLY EACCES/)
    assert.deepEqual(whatRuns(home), before)
    assert.equal(await startPoll(t, options).outcome, 'swapped')
  })

  test('case 67: on which staging is another file system is refused before anything is fetched', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, settings, deps, poll } = await makeMachine(t, host)
    mount('-t', 'tmpfs', '-o', 'mode=700', 'none', home.staging)
    t.after(() => spawnSync('umount', ['-l', home.staging]))
    const error = await failureOf(() => settle(settings, deps))
    assert.equal(error.code, 'ERR_HOME_INVALID')
    assert.match(error.message, /several file systems/)
    assert.throws(() => prepareHome(homeAt(home.path)), { code: 'ERR_HOME_INVALID' })
    assert.deepEqual(host.drain(), [])
    // A command that skips this check ends at the rename.
    assert.match((await failureOf(() => poll())).message, /EXDEV/)
    assert.equal(whatRuns(home).answers, '1.0.0')
    spawnSync('umount', ['-l', home.staging])
    await settle(settings, deps)
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 67: is left as it was by a process that has no file handle to spare, however few are missing', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    // All handles but `spare` are taken; each poll gets a little further than the one before.
    const outcomes = new Set<string>()
    for (let spare = 0; spare <= 12; spare += 1) {
      const { home } = await makeMachine(t, host)
      const before = whatRuns(home)
      const inside = `
        const { openSync, closeSync } = await import('node:fs')
        const taken = []
        try { for (;;) taken.push(openSync('/dev/null')) } catch {}
        for (let left = 0; left < ${spare}; left += 1) closeSync(taken.pop())`
      const options = { home: home.path, server: host.url }
      const outcome = await startPoll(t, { ...options, before: 'ulimit -n 200', inside }).outcome
      outcomes.add(outcome.split(' ')[0] ?? '')
      assert.match(outcome, /^(?:swapped$|ERR_STAGE_(?:IO|PREFLIGHT)|ERR_NETWORK_UNREACHABLE)/, `${spare}: ${outcome}`)
      if (outcome === 'swapped') continue
      assert.deepEqual(whatRuns(home), before, `${spare}`)
      // Without a handle nothing could be tidied up; the next start does.
      const next = await startPoll(t, options).outcome
      assert.match(next, /^swapped$|^refuse$/, `${spare}: ${outcome}, then ${next}`)
    }
    assert.ok(outcomes.has('swapped') && outcomes.has('ERR_STAGE_IO'), [...outcomes].join())
  })

  test('case 70: from which nothing may be executed keeps the old version: the preflight finds out', async (t) => {
    const mounted = tmpfs(t, '64m')
    const host = await startHost(t)
    const { home, poll } = await makeMachine(t, host, {}, join(mounted, 'home'))
    const before = whatRuns(home)
    mount('-o', 'remount,noexec', mounted)
    const tree = archive({ name: 'agent', body: program('1.0.1'), mode: 0o755 })
    const offers: Offer[] = [
      NEXT,
      { version: '1.0.2', sequence: 11, artifact: tree, binary: { unpack: 'tar', entry: 'agent' } },
    ]
    for (const offer of offers) {
      publish(host, offer)
      const error = await failureOf(() => poll())
      assert.equal(error.code, 'ERR_STAGE_PREFLIGHT', error.stack)
      assert.match(error.message, /EACCES/)
      assert.equal(fs.readFileSync(home.current, 'utf8'), before.current)
      assert.deepEqual(fs.readdirSync(home.staging), [])
    }
    mount('-o', 'remount,exec', mounted)
    assert.deepEqual(whatRuns(home), before)
    publish(host, { ...NEXT, sequence: 12, artifact: program('1.0.1', '# elsewhere it would have started') })
    assert.equal((await poll()).kind, 'swapped')
  })

  for (const umask of ['077', '000', '027', '777']) {
    test(`case 70: is written alike under umask ${umask}: what has to run runs, and nobody else can change it`, async (t) => {
      const host = await startHost(t)
      const tree = archive(
        { name: 'bin/agent', body: program('1.0.1', `exec "$(dirname "$0")/helper"`), mode: 0o755 },
        { name: 'bin/helper', body: '#!/bin/sh\n', mode: 0o755 },
        { name: 'data/file', body: 'x' },
      )
      publish(host, { ...NEXT, artifact: tree, binary: { unpack: 'tar', entry: 'bin/agent' } })
      const path = join(makeDir(t), 'home')
      const { home } = await makeMachine(t, host, {}, path)
      assert.equal(await startPoll(t, { home: path, server: host.url, before: `umask ${umask}` }).outcome, 'swapped')
      assert.equal(whatRuns(home).answers, '1.0.1')
      for (const name of fs.readdirSync(home.path, { recursive: true, encoding: 'utf8' })) {
        assert.equal(fs.lstatSync(join(home.path, name)).mode & 0o022, 0, name)
      }
      prepareHome(home)
    })
  }
})
