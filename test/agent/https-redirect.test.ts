// Redirects of an https source. Its own file, and so its own process: TLS is not verified here, for a host with a
// certificate that it made itself.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { httpGet, readBody } from '../../agent/poll/http.ts'
import { BOUNDED, failureOf, makeDir, startHost } from './field.ts'

const skip = spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl here'

/** A host over TLS that answers `/file`, and redirects from `/to?<URL>`. */
async function startSecureHost(t: TestContext): Promise<string> {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(makeDir(t), name)) as [string, string]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const made = spawnSync('openssl', [...args, '-keyout', key, '-out', cert, ...subject], { encoding: 'utf8' })
  assert.equal(made.status, 0, made.stderr)
  const server = createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, (request, response) => {
    const [path, target] = (request.url ?? '').split('?')
    if (path === '/to') response.writeHead(302, { location: decodeURIComponent(target ?? '') }).end()
    else response.end('here')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const to = (from: string, target: string): URL => new URL(`${from}/to?${encodeURIComponent(target)}`)

describe('a redirect of an https host', { ...BOUNDED, skip }, () => {
  test('case 48: needs a certificate that holds: one that nobody vouches for ends the connection', async (t) => {
    const url = await startSecureHost(t)
    const file = new URL(`${url}/file`)
    const error = await failureOf(() => httpGet(file, { base: file }))
    assert.equal(error.code, 'ERR_NETWORK_UNREACHABLE')
    assert.match(error.message, /CERT/)
  })

  test('case 46: to http is refused, of the manifest and of an artifact, and to https is followed', async (t) => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    t.after(() => {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    })
    const [secure, plain] = [await startSecureHost(t), await startHost(t)]
    plain.answer('file', (_, response) => void response.end('here'))
    const base = new URL(`${secure}/version.json`)
    const none = () => assert.fail()
    // For the client both are the same: a URL, and the URL of the manifest that all is measured by.
    for (const from of [to(secure, `${plain.url}/file`), to(secure, to(secure, `${plain.url}/file`).href)]) {
      for (const source of [from, base]) {
        const error = await failureOf(() => httpGet(from, { base: source }))
        assert.equal(error.code, 'ERR_NETWORK_REDIRECT', from.href)
      }
    }
    // An http source may be led to https, but not back.
    const plainBase = new URL(`${plain.url}/version.json`)
    const back = await failureOf(() => httpGet(to(secure, `${plain.url}/file`), { base: plainBase }))
    assert.equal(back.code, 'ERR_NETWORK_REDIRECT')
    assert.equal(plain.requests.length, 0)
    const response = await httpGet(to(secure, to(secure, `${secure}/file`).href), { base })
    assert.equal((await readBody(response, 100, none)).toString(), 'here')
    plain.answer('away', (_, answer) => void answer.writeHead(302, { location: `${secure}/file` }).end())
    const upward = await httpGet(new URL(`${plain.url}/away`), { base: plainBase })
    assert.equal((await readBody(upward, 100, none)).toString(), 'here')
  })
})
