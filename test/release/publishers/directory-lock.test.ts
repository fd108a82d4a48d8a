import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { lockDirectory } from '../../../release/publishers/directory-lock.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'

const TSX = import.meta.resolve('tsx')
const LOCK = new URL('../../../release/publishers/directory-lock.ts', import.meta.url)

/** A process that takes the lock, says so, and holds it until it is killed. */
async function holder(t: TestContext, dir: string): Promise<ChildProcess> {
  const code = `import { lockDirectory } from ${JSON.stringify(LOCK.href)}
    await lockDirectory(process.argv[1], Date.now)
    console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--import', TSX, '--input-type=module', '-e', code, dir], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

test('a lock that is held names its holder, and can be had once it is released', async (t) => {
  const dir = await temporaryFolder(t)
  const unlock = await lockDirectory(dir, Date.now)
  await assert.rejects(
    lockDirectory(dir, Date.now),
    failsWith('ERR_PUBLISH_CONFLICT', new RegExp(`process ${process.pid} on `)),
  )
  await unlock()
  await (
    await lockDirectory(dir, Date.now)
  )()
  assert.deepEqual(await readdir(dir), [])
})

test('the lock of a process that was killed is taken over, by exactly one', async (t) => {
  const dir = await temporaryFolder(t)
  const child = await holder(t, dir)
  await assert.rejects(lockDirectory(dir, Date.now), failsWith('ERR_PUBLISH_CONFLICT'))
  child.kill('SIGKILL')
  await once(child, 'exit')
  const attempts = await Promise.allSettled(Array.from({ length: 10 }, () => lockDirectory(dir, Date.now)))
  const winners = attempts.filter((attempt) => attempt.status === 'fulfilled')
  assert.equal(winners.length, 1)
  await winners[0]?.value()
  assert.deepEqual(await readdir(dir), [])
})

test(
  'a process number that is used again does not keep a dead lock alive',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const dir = await temporaryFolder(t)
    const dead = { pid: process.pid, host: hostname(), since: '2026-01-01T00:00:00Z', started: '1', nonce: 'x' }
    await writeFile(join(dir, '.lock'), JSON.stringify(dead))
    await (
      await lockDirectory(dir, Date.now)
    )()
  },
)

test('a lock of another machine is never taken over', async (t) => {
  const dir = await temporaryFolder(t)
  const text = JSON.stringify({ pid: 1, host: 'elsewhere', since: '2026-01-01T00:00:00Z', nonce: 'x' })
  await writeFile(join(dir, '.lock'), text)
  await assert.rejects(
    lockDirectory(dir, Date.now),
    failsWith('ERR_PUBLISH_CONFLICT', /process 1 on elsewhere since 2026/),
  )
  assert.equal(await readFile(join(dir, '.lock'), 'utf8'), text)
})

test('a takeover that was killed half-way is taken over too', async (t) => {
  const dir = await temporaryFolder(t)
  const dead = { pid: process.pid, host: hostname(), since: '2026-01-01T00:00:00Z', started: '1', nonce: 'x' }
  for (const name of ['.lock', '.lock-takeover', '.lock.feed']) await writeFile(join(dir, name), JSON.stringify(dead))
  await (
    await lockDirectory(dir, Date.now)
  )()
  assert.deepEqual(await readdir(dir), [])
})
