import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { healthCheckOf } from '../../../agent/trial/health.ts'
import { BOUNDED, startHost } from '../field.ts'

const signal = new AbortController().signal

describe('a health check', { ...BOUNDED, concurrency: true }, () => {
  test('is none when nothing is configured', () => {
    assert.equal(healthCheckOf({}), undefined)
  })

  test('is a URL that answers with a 2xx status', async (t) => {
    const host = await startHost(t)
    let status = 200
    host.answer('healthz', (_, response) => void response.writeHead(status).end('x'.repeat(100_000)))
    const check = healthCheckOf({ url: `${host.url}/healthz` })
    for (const [answer, healthy] of [
      [200, true],
      [204, true],
      [301, false],
      [404, false],
      [503, false],
    ] as const) {
      status = answer
      assert.equal(await check?.(signal), healthy, `${answer}`)
    }
    host.answer('healthz', (request) => void request.socket.destroy())
    assert.equal(await check?.(signal), false)
    assert.equal(await healthCheckOf({ url: 'http://127.0.0.1:1/' })?.(signal), false)
    assert.equal(await healthCheckOf({ url: 'not a url' })?.(signal), false)
  })

  test('is a command that exits with 0', async () => {
    for (const [command, healthy] of [
      [['true'], true],
      [['sh', '-c', 'exit 0'], true],
      [['false'], false],
      [['sh', '-c', 'kill -9 $$'], false],
      [['/not/there'], false],
      [[''], false],
    ] as const) {
      assert.equal(await healthCheckOf({ command })?.(signal), healthy, command.join(' '))
    }
  })

  test('is passed only when all of them are, and fails when one throws', async () => {
    const both = (own: () => boolean | Promise<boolean>): Promise<boolean> | undefined =>
      healthCheckOf({ command: ['true'] }, own)?.(signal)
    assert.equal(await both(() => true), true)
    assert.equal(await both(async () => true), true)
    assert.equal(await both(() => false), false)
    assert.equal(
      await both(() => {
        throw new Error('sick')
      }),
      false,
    )
    assert.equal(await both(async () => Promise.reject(new Error('sick'))), false)
    assert.equal(await healthCheckOf({ command: ['false'] }, () => true)?.(signal), false)
  })

  test('fails when it hangs, and ends what hangs', async (t) => {
    const host = await startHost(t)
    const closed = new Promise((resolve) =>
      host.answer('healthz', (request) => void request.socket.on('close', resolve)),
    )
    const hanging = [
      healthCheckOf({ url: `${host.url}/healthz` }),
      healthCheckOf({ command: ['sleep', '1000'] }),
      healthCheckOf({}, () => new Promise<boolean>(() => undefined)),
    ]
    assert.deepEqual(await Promise.all(hanging.map(async (check) => check?.(signal))), [false, false, false])
    await closed
  })
})
