// TLS as an agent has it: certificates made here by openssl, and real processes that trust their authority as an
// operator's own would be trusted, by NODE_EXTRA_CA_CERTS.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { artifactOf, assertTidy, makeDir, makeMachine, manifestOf, type Offer, whatRuns } from './field.ts'
import { startPoll } from './poll-process.ts'

const skip = spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl here'
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
const HERE = 'IP:127.0.0.1'

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

interface Certificate {
  readonly key: Buffer
  readonly cert: Buffer
}

/** An authority of its own, and what it signs. */
class Authority {
  readonly #dir: string
  readonly path: string

  constructor(t: TestContext, name = 'authority') {
    this.#dir = makeDir(t)
    this.path = join(this.#dir, 'ca.pem')
    openssl(
      'req',
      '-x509',
      ...CURVE,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      this.#at('ca.key'),
      '-out',
      this.path,
    )
  }

  #at(name: string): string {
    return join(this.#dir, name)
  }

  sign(names: string, days = '2'): Certificate {
    fs.writeFileSync(this.#at('names'), `subjectAltName=${names}`)
    openssl('req', ...CURVE, '-subj', '/CN=host', '-keyout', this.#at('key'), '-out', this.#at('csr'))
    const from = ['-in', this.#at('csr'), '-CA', this.path, '-CAkey', this.#at('ca.key'), '-CAcreateserial']
    openssl('x509', '-req', ...from, '-days', days, '-extfile', this.#at('names'), '-out', this.#at('cert'))
    return { key: fs.readFileSync(this.#at('key')), cert: fs.readFileSync(this.#at('cert')) }
  }
}

function signItself(t: TestContext): Certificate {
  const dir = makeDir(t)
  const [key, cert] = [join(dir, 'key'), join(dir, 'cert')]
  const names = ['-subj', '/CN=host', '-addext', `subjectAltName=${HERE}`]
  openssl('req', '-x509', ...CURVE, '-days', '2', ...names, '-keyout', key, '-out', cert)
  return { key: fs.readFileSync(key), cert: fs.readFileSync(cert) }
}

/** Serves what `files` names, and counts the requests that got through. */
async function serveSecurely(t: TestContext, certificate: Certificate, files: () => Record<string, Buffer>) {
  const seen: string[] = []
  const server = createServer(certificate, (request, response) => {
    const path = (request.url ?? '').slice(1)
    seen.push(path)
    const bytes = files()[path]
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
  })
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { seen, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** One poll in a process that trusts this authority. */
function pollTrusting(t: TestContext, authority: Authority, home: string, server: string): Promise<string> {
  return startPoll(t, { home, server, env: { NODE_EXTRA_CA_CERTS: authority.path } }).outcome
}

describe('a source over TLS', { timeout: 240_000, skip, concurrency: 2 }, () => {
  const OFFER: Offer = { version: '1.0.1', sequence: 10 }
  const bad: Record<string, [reason: RegExp, make: (t: TestContext, authority: Authority) => Certificate]> = {
    'that has expired': [/CERT_HAS_EXPIRED/, (_, authority) => authority.sign(HERE, '-1')],
    'that it signed itself': [/DEPTH_ZERO_SELF_SIGNED_CERT/, (t) => signItself(t)],
    'of another host': [/ALTNAME_INVALID/, (_, authority) => authority.sign('DNS:updates.example.com,IP:127.0.0.2')],
    'of an authority that nobody knows': [/UNABLE_TO_VERIFY_LEAF/, (t) => new Authority(t, 'stranger').sign(HERE)],
  }
  for (const [name, [reason, make]] of Object.entries(bad)) {
    test(`case 48: is not read with a certificate ${name}, neither manifest nor artifact`, async (t) => {
      const authority = new Authority(t)
      const files = (): Record<string, Buffer> => ({
        'version.json': manifestOf(OFFER),
        '1.0.1.bin': artifactOf(OFFER),
      })
      const [wrong, good] = [
        await serveSecurely(t, make(t, authority), files),
        await serveSecurely(t, authority.sign(HERE), () => ({ ...files(), 'elsewhere/version.json': elsewhere })),
      ]
      // No word of a manifest, though it is signed, makes the connection less strict.
      const loose = { insecure: true, rejectUnauthorized: false, ca: 'any', tls: { verify: false } }
      const elsewhere = manifestOf({
        ...OFFER,
        binary: { ...loose, url: `${wrong.url}/1.0.1.bin` },
        manifest: { release: loose, rollout: loose },
      })
      const { home } = await makeMachine(t, good)
      const before = whatRuns(home)
      for (const server of [wrong.url, `${good.url}/elsewhere/version.json`]) {
        const outcome = await pollTrusting(t, authority, home.path, server)
        assert.match(outcome, /^ERR_NETWORK_UNREACHABLE /)
        assert.match(outcome, reason)
        assert.deepEqual(whatRuns(home), before)
        assertTidy(home)
      }
      assert.deepEqual(wrong.seen, [])
      for (const path of [home.state, home.stateBackup]) fs.rmSync(path)
      assert.equal(await pollTrusting(t, authority, home.path, good.url), 'swapped')
      assert.equal(whatRuns(home).answers, '1.0.1')
    })
  }
})
