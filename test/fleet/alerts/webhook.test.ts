import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'

import { alertMessage, postWebhook } from '../../../fleet/alerts/webhook.ts'
import { failsWith } from '../../release/project-fixture.ts'

const MESSAGE = alertMessage('heartbeat-agent', '2026-11-21T12:00:00Z', [
  { code: 'FLEET_STUCK', key: 'FLEET_STUCK', agents: 2, text: '2 agents stuck' },
])
const QUICK = { pauseMs: 1 }

interface Received {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver; each answer is used once, the last one for all that follow. */
async function receiver(
  t: TestContext,
  ...answers: readonly ((response: ServerResponse) => void)[]
): Promise<{ readonly url: string; readonly received: Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      const answer = answers[Math.min(received.length, answers.length - 1)]
      received.push({ method: request.method, path: request.url, headers: request.headers, body })
      answer?.(response)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/secret`, received }
}

function status(code: number, headers: Record<string, string> = {}): (response: ServerResponse) => void {
  return (response) => response.writeHead(code, headers).end('what it says does not matter')
}

describe('the webhook', () => {
  test('gets one POST of JSON, with a text that chat services show', async (t) => {
    const { url, received } = await receiver(t, status(204))
    await postWebhook(url, MESSAGE)
    assert.equal(received.length, 1)
    assert.deepEqual([received[0]?.method, received[0]?.path], ['POST', '/hook/secret'])
    assert.equal(received[0]?.headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(received[0]?.body ?? ''), {
      format: 'moult-alerts/1',
      text: 'heartbeat-agent: 1 alert\nFLEET_STUCK: 2 agents stuck',
      name: 'heartbeat-agent',
      at: '2026-11-21T12:00:00Z',
      alerts: [{ code: 'FLEET_STUCK', key: 'FLEET_STUCK', agents: 2, text: '2 agents stuck' }],
    })
  })

  test('is given a header, and a URL or header that cannot be used is an error that shows neither', async (t) => {
    const { url, received } = await receiver(t, status(200))
    await postWebhook(url, MESSAGE, { header: 'Authorization: Bearer s3cret' })
    assert.equal(received[0]?.headers.authorization, 'Bearer s3cret')
    const refused: [string, string | undefined][] = [
      [url, 's3cret'],
      [url, 'x: a\r\nHost: s3cret'],
      [url, 'x y: s3cret'],
      ['s3cret', undefined],
      ['http://example.com/s3cret', undefined],
      ['http://localhost.example.com/s3cret', undefined],
      ['http://xlocalhost/s3cret', undefined],
      ['http://x127.0.0.1/s3cret', undefined],
      ['http://127.0.0.1.example.com/s3cret', undefined],
      ['ftp://127.0.0.1/s3cret', undefined],
      ['file:///s3cret', undefined],
    ]
    for (const [to, header] of refused) {
      const error = await postWebhook(to, MESSAGE, header === undefined ? {} : { header }).catch(
        (cause: unknown) => cause,
      )
      assert.ok(failsWith('ERR_USAGE_INVALID')(error), to)
      assert.doesNotMatch(JSON.stringify(error), /s3cret/)
    }
    assert.equal(received.length, 1)
  })

  test('is tried again when the host is in trouble, and then not', async (t) => {
    for (const trouble of [500, 503, 429, 408]) {
      const { url, received } = await receiver(t, status(trouble), status(trouble, { 'retry-after': '0' }), status(200))
      await postWebhook(url, MESSAGE, QUICK)
      assert.equal(received.length, 3, String(trouble))
    }
    const { url, received } = await receiver(t, status(500))
    await assert.rejects(postWebhook(url, MESSAGE, QUICK), failsWith('ERR_NETWORK_STATUS', /status 500/))
    assert.equal(received.length, 3)
  })

  test('is not tried again when the host refuses', async (t) => {
    for (const refusal of [400, 401, 403, 404, 410]) {
      const { url, received } = await receiver(t, status(refusal))
      await assert.rejects(postWebhook(url, MESSAGE, QUICK), failsWith('ERR_NETWORK_STATUS'))
      assert.equal(received.length, 1, String(refusal))
    }
  })

  test('follows no redirect: neither message nor header goes elsewhere', async (t) => {
    for (const code of [301, 302, 303, 307, 308]) {
      const other = await receiver(t, status(200))
      const { url, received } = await receiver(t, status(code, { location: other.url }))
      const header = 'Authorization: Bearer s3cret'
      await assert.rejects(postWebhook(url, MESSAGE, { ...QUICK, header }), failsWith('ERR_NETWORK_REDIRECT'))
      assert.deepEqual([received.length, other.received.length], [1, 0], String(code))
    }
  })

  test('that does not answer, or breaks off, is given up in bounded time', async (t) => {
    const silent = await receiver(t, () => undefined)
    await assert.rejects(
      postWebhook(silent.url, MESSAGE, { ...QUICK, attemptTimeoutMs: 100 }),
      failsWith('ERR_NETWORK_TIMEOUT'),
    )
    assert.equal(silent.received.length, 3)
    const broken = await receiver(t, (response) => response.destroy())
    const error = await postWebhook(broken.url, MESSAGE, QUICK).catch((cause: unknown) => cause)
    assert.ok(failsWith('ERR_NETWORK_UNREACHABLE')(error))
    assert.doesNotMatch(String((error as Error).message), /secret/)
  })

  test('with an endless answer is delivered all the same', async (t) => {
    const { url, received } = await receiver(t, (response) => {
      response.writeHead(200)
      const write = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', write)
      write()
    })
    await postWebhook(url, MESSAGE, { attemptTimeoutMs: 20_000 })
    assert.equal(received.length, 1)
  })

  test('stops when it is told to', async (t) => {
    const stop = new AbortController()
    const { url, received } = await receiver(t, (response) => {
      status(500)(response)
      stop.abort()
    })
    await assert.rejects(postWebhook(url, MESSAGE, { pauseMs: 60_000, signal: stop.signal }))
    assert.equal(received.length, 1)
  })
})

test('text of a log is no command of a chat', () => {
  const { text, alerts } = alertMessage('<!channel>', 'now', [
    { code: 'FLEET_ROLLBACK', key: 'k', agents: 1, text: '<https://evil.example|click> &amp; *bold* `code`\n@here' },
  ])
  assert.doesNotMatch(text, /[<>&|*`@]/)
  assert.equal(text.split('\n').length, 2)
  assert.equal(alerts[0]?.agents, 1)
})
