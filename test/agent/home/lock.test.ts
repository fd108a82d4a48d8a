import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test, type TestContext } from 'node:test'

import { type Home, homeAt } from '../../../agent/home/home.ts'
import { withLock } from '../../../agent/home/lock.ts'
import { BOUNDED, failureOf, makeDir, waitFor } from '../field.ts'

function makeHome(t: TestContext): Home {
  return homeAt(makeDir(t))
}

/** A process that takes the lock whenever it is told to, and says what came of it. */
function startRival(
  t: TestContext,
  home: Home,
  work = 'await undefined',
  before: readonly string[] = [],
): ChildProcess {
  const lines = `
    import { existsSync, rmSync, writeFileSync } from 'node:fs'
    import { createInterface } from 'node:readline'
    import { homeAt } from ${JSON.stringify(import.meta.resolve('../../../agent/home/home.ts'))}
    import { withLock } from ${JSON.stringify(import.meta.resolve('../../../agent/home/lock.ts'))}
    const home = homeAt(${JSON.stringify(home.path)})
    console.log('ready')
    for await (const line of createInterface({ input: process.stdin })) {
      while (Date.now() < Number(line));
      try {
        await withLock(home, async () => { ${work} })
        console.log('held')
      } catch (error) {
        console.log(error.code)
      }
    }`
  const [command = '', ...args] = [...before, process.execPath, '--import', 'tsx', '--input-type=module', '-e', lines]
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function deadPid(): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid ?? 0
}

describe('the lock', BOUNDED, () => {
  test('is held during the work and free after it, whether that succeeds or throws', async (t) => {
    const home = makeHome(t)
    assert.equal(
      await withLock(home, async () => fs.readdirSync(home.lock).join()).then((name) => /^[0-9]+-./.test(name)),
      true,
    )
    assert.deepEqual(fs.readdirSync(home.lock), ['free'])
    await assert.rejects(
      withLock(home, async () => Promise.reject(new Error('mine'))),
      /mine/,
    )
    assert.deepEqual(fs.readdirSync(home.lock), ['free'])
    assert.deepEqual(fs.readdirSync(home.path), ['lock'])
  })

  test('is refused while it is held, also to the process that holds it', async (t) => {
    const home = makeHome(t)
    const error = await withLock(home, () => failureOf(() => withLock(home, async () => undefined)))
    assert.equal(error.code, 'ERR_LOCK_HELD')
    assert.equal(error.exitCode, 28)
    assert.equal(error.details['pid'], process.pid)
    assert.equal(await withLock(home, async () => 'again'), 'again')
  })

  test('is taken over from a process that is gone', async (t) => {
    const home = makeHome(t)
    await withLock(home, async () => undefined)
    const [boot] = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').split('\n')
    for (const token of [
      `${await deadPid()}-1-${boot}`,
      `${await deadPid()}-unknown`,
      `${process.pid}-1-${boot}`,
      `${process.ppid}-77-another-boot`,
      'rubbish',
      '-1-x',
      '0-x',
    ]) {
      const [held = ''] = fs.readdirSync(home.lock)
      fs.renameSync(join(home.lock, held), join(home.lock, token))
      assert.equal(await withLock(home, async () => 'taken'), 'taken', token)
      assert.deepEqual(fs.readdirSync(home.lock), ['free'], token)
    }
  })

  test('is taken over from a process that was killed, reaped or not', async (t) => {
    const home = makeHome(t)
    const rival = startRival(t, home, 'await new Promise((resolve) => setTimeout(resolve, 1e6))')
    rival.stdin?.write('0\n')
    while (!fs.existsSync(home.lock) || fs.readdirSync(home.lock)[0] === 'free') {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.equal((await failureOf(() => withLock(home, async () => undefined))).details['pid'], rival.pid)
    rival.kill('SIGKILL')
    await once(rival, 'exit')
    assert.equal(await withLock(home, async () => 'taken'), 'taken')

    // A shell that has execed into `sleep` never reaps the child it started before, if that ends after the exec.
    const parent = spawn('sh', ['-c', 'sleep 1 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] })
    t.after(() => parent.kill('SIGKILL'))
    const [pid] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    while (!/^State:\tZ/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8')))
      await new Promise((resolve) => setTimeout(resolve, 10))
    fs.renameSync(join(home.lock, 'free'), join(home.lock, `${pid}-12345-x`))
    assert.equal(await withLock(home, async () => 'taken'), 'taken')
  })

  test('is held for a bounded time by a process that another pid namespace hides', async (t) => {
    const home = makeHome(t)
    await withLock(home, async () => undefined)
    const token = join(home.lock, `${await deadPid()}-1-x@1`)
    fs.renameSync(join(home.lock, 'free'), token)
    assert.equal((await failureOf(() => withLock(home, async () => undefined))).code, 'ERR_LOCK_HELD')
    // Not touched for two minutes, or in a future that a clock which was set back has left behind.
    for (const offsetMs of [-130_000, 130_000]) {
      const at = new Date(Date.now() + offsetMs)
      fs.utimesSync(token, at, at)
      assert.equal(await withLock(home, async () => 'taken'), 'taken')
      fs.renameSync(join(home.lock, 'free'), token)
    }
  })

  test('is touched when it is taken and as long as it is held', async (t) => {
    const home = makeHome(t)
    await withLock(home, async () => undefined)
    const past = new Date(Date.now() - 3_600_000)
    fs.utimesSync(join(home.lock, 'free'), past, past)
    t.mock.timers.enable({ apis: ['setInterval'] })
    await withLock(home, async () => {
      const [token = ''] = fs.readdirSync(home.lock)
      const path = join(home.lock, token)
      assert.ok(Date.now() - fs.statSync(path).mtimeMs < 60_000)
      fs.utimesSync(path, past, past)
      t.mock.timers.tick(15_000)
      await waitFor(() => Date.now() - fs.statSync(path).mtimeMs < 60_000, 'the heartbeat')
    })
  })

  test('is refused across pid namespaces, as between two containers on one volume', async (t) => {
    const home = makeHome(t)
    const apart = ['--pid', '--fork', '--kill-child', '--mount-proc']
    if (spawnSync('unshare', [...apart, 'true']).status !== 0) return t.skip('no right to make a namespace here')
    const rival = startRival(t, home, 'await new Promise(() => setTimeout(() => {}, 1e6))', ['unshare', ...apart])
    rival.stdin?.write('0\n')
    while (!fs.existsSync(home.lock) || fs.readdirSync(home.lock)[0] === 'free') {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.equal((await failureOf(() => withLock(home, async () => undefined))).code, 'ERR_LOCK_HELD')
  })

  test('comes back when its token was lost, and reports a home that it cannot be made in', async (t) => {
    const home = makeHome(t)
    fs.mkdirSync(home.lock)
    assert.equal(await withLock(home, async () => 'taken'), 'taken')
    const missing = join(home.path, 'not there')
    const error = await failureOf(() => withLock(homeAt(missing), async () => undefined))
    assert.equal(fs.existsSync(missing), false)
    assert.equal(error.exitCode, 25)
  })

  test('is held by one of two processes at a time, in 50 races for a lock that is new, free or stale', async (t) => {
    const home = makeHome(t)
    const inside = JSON.stringify(join(home.path, 'inside'))
    // Whoever holds the lock makes a file that nobody else may be making, and stays for a moment.
    const work = `writeFileSync(${inside}, '', { flag: 'wx' }); const until = Date.now() + 3; while (Date.now() < until); rmSync(${inside})`
    const rivals = [startRival(t, home, work), startRival(t, home, work)]
    const answers = rivals.map(({ stdout }) => {
      assert.ok(stdout !== null)
      return createInterface({ input: stdout })[Symbol.asyncIterator]()
    })
    const next = (): Promise<string[]> => Promise.all(answers.map(async (lines) => String((await lines.next()).value)))
    assert.deepEqual(await next(), ['ready', 'ready'])
    const stale = `${await deadPid()}-1-x`
    const outcomes = new Map<string, number>()
    for (let round = 0; round < 50; round += 1) {
      if (round % 3 === 0) fs.rmSync(home.lock, { recursive: true, force: true })
      else if (round % 3 === 1) fs.renameSync(join(home.lock, 'free'), join(home.lock, stale))
      const start = Date.now() + 5
      for (const { stdin } of rivals) stdin?.write(`${start}\n`)
      const outcome = (await next()).toSorted().join(' ')
      assert.match(outcome, /^(?:ERR_LOCK_HELD held|held held)$/, `round ${round}`)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      assert.deepEqual(fs.readdirSync(home.lock), ['free'], `round ${round}`)
    }
    t.diagnostic(JSON.stringify([...outcomes]))
  })
})
