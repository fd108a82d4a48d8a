import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'

import { failsWith, makeProject, snapshot } from './project-fixture.ts'

const MINUTE_MS = 60_000
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS

/** A host that tells this time, and has nothing else. */
async function listen(t: TestContext, headers: () => Record<string, string>): Promise<string> {
  const server = createServer((_, response) => response.writeHead(404, headers()).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/updates`
}
const at = (timeMs: number): string => new Date(timeMs).toUTCString()

test('case 99: a clock of 1970 or 2000 signs nothing, also when there is nothing to compare with', async (t) => {
  const { updates, release, change } = await makeProject(t)
  await change({ build: { type: 'command', command: 'false' } })
  for (const now of [0, Date.UTC(2000, 0, 1)]) {
    await assert.rejects(release('1.0.0', {}, { now: () => now }), failsWith('ERR_TRUST_DATE', /this clock says/))
  }
  assert.equal(existsSync(updates), false)
})

test('case 99: a clock that the Date header of the public URL contradicts signs nothing', async (t) => {
  const { updates, release, change } = await makeProject(t)
  let hostMs = Date.now()
  const url = await listen(t, () => ({ date: at(hostMs) }))
  await change({ build: { type: 'command', command: 'false' }, publish: { type: 'directory', path: './updates', url } })
  for (const offMs of [-YEAR_MS / 2, -11 * MINUTE_MS, 11 * MINUTE_MS, 10 * YEAR_MS]) {
    const now = (): number => Math.max(Date.now() + offMs, Date.UTC(2026, 0, 2))
    hostMs = now() - offMs
    await assert.rejects(
      release('1.0.0', {}, { now }),
      failsWith('ERR_TRUST_DATE', /127\.0\.0\.1:\d+ says/),
      String(offMs),
    )
  }
  assert.equal(existsSync(updates), false)
  // The twin: ten minutes are a matter of taste, and the build is what fails then.
  hostMs = Date.now() + 9 * MINUTE_MS
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED'))
})

test('case 99: what a cache has kept for an hour is an hour old, and no answer is no opinion', async (t) => {
  const { change, release } = await makeProject(t)
  const url = await listen(t, () => ({ date: at(Date.now() - 60 * MINUTE_MS), age: '3600' }))
  const build = { type: 'command', command: 'false' }
  await change({ build, publish: { type: 'directory', path: './updates', url } })
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED'))
  await change({ build, publish: { type: 'directory', path: './updates', url: 'http://127.0.0.1:9' } })
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED'))
})

test('case 99: a clock behind the live manifest, and a rollout that is too long or over at once, sign nothing', async (t) => {
  const { updates, release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  await writeAgents('echo 2')
  const before = await snapshot(updates)
  const now = (): number => Date.now() - MINUTE_MS
  await assert.rejects(release('1.0.1', {}, { now }), failsWith('ERR_TRUST_DATE', /the live manifest is of/))
  for (const expires of ['401d', '0s', '-1d']) {
    await assert.rejects(release('1.0.1', { expires }), failsWith('ERR_USAGE_INVALID', /--expires/))
  }
  assert.deepEqual(await snapshot(updates), before)
})
