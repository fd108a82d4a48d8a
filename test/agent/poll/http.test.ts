import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { httpGet, readBody, toNetworkError } from '../../../agent/poll/http.ts'
import { MoultError } from '../../../manifests/index.ts'
import { BOUNDED, failureOf, startHost } from '../field.ts'

const SECRET = { authorization: 'Bearer secret' }
const tooLarge = (): MoultError => new MoultError('ERR_MANIFEST_TOO_LARGE', 'too large: the body')

describe('a request', { ...BOUNDED, concurrency: true }, () => {
  test('follows redirects up to five, and no circle', async (t) => {
    const host = await startHost(t)
    for (let hop = 0; hop < 7; hop += 1) {
      host.answer(`hop${hop}`, (_, response) => void response.writeHead(302, { location: `hop${hop + 1}` }).end())
    }
    host.answer('hop5', (_, response) => void response.end('here'))
    const base = new URL(`${host.url}/version.json`)
    const response = await httpGet(new URL(`${host.url}/hop0`), { base })
    assert.equal((await readBody(response, 100, tooLarge)).toString(), 'here')
    assert.equal(response.url.pathname, '/hop5')
    host.answer('hop5', (_, response) => void response.writeHead(302, { location: '/hop6' }).end())
    assert.equal((await failureOf(() => httpGet(new URL(`${host.url}/hop0`), { base }))).code, 'ERR_NETWORK_REDIRECT')
    host.drain()
    host.answer('round', (_, response) => void response.writeHead(307, { location: '/round' }).end())
    assert.equal((await failureOf(() => httpGet(new URL(`${host.url}/round`), { base }))).code, 'ERR_NETWORK_REDIRECT')
    assert.equal(host.requests.length, 6)
  })

  test('refuses a redirect to anything but http and https, and one without a target', async (t) => {
    const host = await startHost(t)
    const base = new URL(`${host.url}/version.json`)
    for (const location of [
      'file:///etc/passwd',
      'data:,x',
      'ftp://example.com/',
      'http://user:pw@127.0.0.1/',
      'http://[',
      undefined,
    ]) {
      host.answer(
        'away',
        (_, response) => void response.writeHead(302, location === undefined ? {} : { location }).end(),
      )
      const error = await failureOf(() => httpGet(new URL(`${host.url}/away`), { base }))
      assert.equal(error.code, 'ERR_NETWORK_REDIRECT', location)
      assert.doesNotMatch(error.message, /user|pw/)
    }
  })

  test('sends secret headers to the configured origin only', async (t) => {
    const [own, other] = [await startHost(t), await startHost(t)]
    const base = new URL(`${own.url}/version.json`)
    other.answer('file', (_, response) => void response.end())
    own.answer('file', (_, response) => void response.writeHead(302, { location: `${other.url}/file` }).end())
    await httpGet(new URL(`${own.url}/file`), { base, secretHeaders: SECRET, headers: { 'user-agent': 'x' } })
    await httpGet(new URL(`${other.url}/file`), { base, secretHeaders: SECRET })
    assert.equal(own.headers[0]?.authorization, 'Bearer secret')
    assert.deepEqual(
      other.headers.map(({ authorization }) => authorization),
      [undefined, undefined],
    )
    assert.equal(other.headers[0]?.['user-agent'], 'x')
    assert.equal(own.headers[0]?.['accept-encoding'], 'identity')
  })

  test('counts the bytes as they come, whatever length the host claims', async (t) => {
    const host = await startHost(t)
    const base = new URL(`${host.url}/version.json`)
    host.answer('file', (_, response) => void response.end('x'.repeat(101)))
    const error = await failureOf(async () => readBody(await httpGet(new URL('file', base), { base }), 100, tooLarge))
    assert.equal(error.code, 'ERR_MANIFEST_TOO_LARGE')
    assert.equal((await readBody(await httpGet(new URL('file', base), { base }), 101, tooLarge)).length, 101)
  })

  test('ends when headers drip for longer than the stall time', async (t) => {
    const host = await startHost(t)
    const base = new URL(`${host.url}/version.json`)
    host.answer('file', (request) => {
      request.socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => request.socket.write('x: y\r\n'), 30)
      request.socket.on('close', () => clearInterval(timer))
    })
    const error = await failureOf(() => httpGet(new URL('file', base), { base, stallMs: 300 }))
    assert.equal(error.code, 'ERR_NETWORK_TIMEOUT')
  })

  test('names the failure of a connection, with a hint and without query strings', async () => {
    const base = new URL('http://127.0.0.1:1/version.json?token=secret')
    const error = await failureOf(() => httpGet(base, { base }))
    assert.equal(error.code, 'ERR_NETWORK_UNREACHABLE')
    assert.match(error.message, /ECONNREFUSED/)
    assert.match(error.hint ?? '', /update server running/)
    assert.doesNotMatch(JSON.stringify(error), /secret/)
    assert.equal(toNetworkError(error, base), error)
  })
})
