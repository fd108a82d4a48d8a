import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { pollManifest } from '../../../agent/poll/poll.ts'
import { loadState } from '../../../agent/home/state.ts'
import { BOUNDED, failureOf, makeMachine, manifestOf, publish, startHost } from '../field.ts'

const OFFER = { version: '1.0.0', sequence: 10 }

describe('a poll', { ...BOUNDED, concurrency: true }, () => {
  test('fetches everything again when the stored copy was damaged', async (t) => {
    const host = await startHost(t)
    publish(host, OFFER)
    const { home, poll } = await makeMachine(t, host)
    for (const damage of [
      () => fs.appendFileSync(home.manifest, ' '),
      () => fs.truncateSync(home.manifest),
      () => fs.rmSync(home.manifest),
    ]) {
      await poll()
      damage()
      host.drain()
      host.headers.splice(0)
      await poll()
      assert.equal(host.headers[0]?.['if-none-match'], undefined)
      assert.deepEqual(fs.readFileSync(home.manifest), manifestOf(OFFER))
      await poll()
      assert.notEqual(host.headers[1]?.['if-none-match'], undefined)
    }
  })

  test('does not ask a new host about the copy of the old one', async (t) => {
    const [one, two] = [await startHost(t), await startHost(t)]
    publish(one, OFFER)
    publish(two, OFFER)
    const { home, poll, settings } = await makeMachine(t, one)
    await poll()
    const state = loadState(home, settings.root, assert.fail)
    await pollManifest(home, state, { url: new URL(`${two.url}/version.json`), userAgent: 'x' })
    assert.equal(two.headers[0]?.['if-none-match'], undefined)
  })

  test('keeps no ETag that would make the state unreadable, and with it the sequence floor', async (t) => {
    const host = await startHost(t)
    const { home, poll, settings } = await makeMachine(t, host)
    const etags = [`"${'x'.repeat(5000)}"`, '"\u0085"', '"\u00e9"', 'unquoted', '"\t"', '']
    for (const [index, etag] of etags.entries()) {
      host.answer('version.json', (_, response) => {
        response.writeHead(200, { etag }).end(manifestOf({ ...OFFER, sequence: 10 + index }))
      })
      await poll()
      const state = loadState(home, settings.root, assert.fail)
      assert.equal(state.floors['stable']?.sequence, 10 + index, etag)
      assert.equal(state.cached?.etag, undefined, etag)
    }
  })

  test('gives the pause that the host asks for, within bounds', async (t) => {
    const host = await startHost(t)
    const { poll } = await makeMachine(t, host)
    const cases: [string, number | undefined][] = [
      ['120', 120_000],
      ['0', 0],
      ['999999999', 3_600_000],
      ['99999999999999', undefined],
      ['-5', undefined],
      ['soon', undefined],
      ['', undefined],
    ]
    for (const [asked, expected] of cases) {
      host.answer('version.json', (_, response) => void response.writeHead(429, { 'retry-after': asked }).end())
      assert.equal((await failureOf(() => poll())).details['retryAfterMs'], expected, asked)
    }
  })

  test('is given up when the bytes only drip', async (t) => {
    const host = await startHost(t)
    host.answer('version.json', (_, response) => {
      const timer = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(timer))
    })
    const { home, settings } = await makeMachine(t, host)
    const state = { root: settings.root, floors: {}, timeFloorMs: 0, quarantine: [] }
    const error = await failureOf(() =>
      pollManifest(home, state, { url: settings.url, userAgent: 'x', deadlineMs: 500, stallMs: 10_000 }),
    )
    assert.equal(error.code, 'ERR_NETWORK_TIMEOUT')
  })

  test('ends when it is told to', async (t) => {
    const host = await startHost(t)
    host.answer('version.json', () => undefined)
    const { poll } = await makeMachine(t, host)
    assert.equal((await failureOf(() => poll({ deps: { signal: AbortSignal.timeout(100) } }))).exitCode, 20)
    assert.equal((await failureOf(() => poll({ deps: { signal: AbortSignal.abort() } }))).exitCode, 20)
  })
})
