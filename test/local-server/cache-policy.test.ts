import assert from 'node:assert/strict'
import test from 'node:test'
import { cacheControlOf, contentTypeOf } from '../../local-server/cache-policy.ts'
import { startSite } from './site.ts'

const IMMUTABLE = 'public, max-age=31536000, immutable'

test('only what is published once is immutable', () => {
  const expected: Record<string, string> = {
    'version.json': 'no-cache',
    'beta/version.json': 'no-cache',
    'feed.atom': 'no-cache',
    'index.html': 'no-cache',
    'releases/1.4.2.json': IMMUTABLE,
    'bin/1.4.2/agent-linux-amd64': IMMUTABLE,
    'trust/2.root.json': IMMUTABLE,
    'history/0a1b.json': IMMUTABLE,
    bin: 'no-cache',
    'beta/bin/x': 'no-cache',
    'bin/version.json': 'no-cache',
  }
  for (const [path, value] of Object.entries(expected)) assert.equal(cacheControlOf(path.split('/')), value, path)
})

test('an artifact is bytes whatever its name ends in', () => {
  assert.equal(contentTypeOf(['bin', '1.0.0', 'agent.html']), 'application/octet-stream')
  assert.equal(contentTypeOf(['releases', '1.0.0.json']), 'application/json')
  assert.equal(contentTypeOf(['feed.atom']), undefined)
})

test('the server sends type and policy of each kind of file', async (t) => {
  const { server, write } = await startSite(t)
  const expected = [
    ['beta/version.json', 'application/json', 'no-cache'],
    ['feed.atom', 'application/atom+xml', 'no-cache'],
    ['releases/1.0.0.json', 'application/json', IMMUTABLE],
    ['bin/1.0.0/agent-linux-amd64', 'application/octet-stream', IMMUTABLE],
    ['bin/1.0.0/agent-linux-amd64.from-0.9.0', 'application/octet-stream', IMMUTABLE],
    ['bin/1.0.0/agent-linux-amd64.from-0.9.0-rc.json', 'application/octet-stream', IMMUTABLE],
    ['bin/1.0.0/agent-linux-amd64.gz', 'application/octet-stream', IMMUTABLE],
    ['no-extension', 'application/octet-stream', 'no-cache'],
    ['notes.html', 'text/html; charset=utf-8', 'no-cache'],
  ] as const
  for (const [path, type, policy] of expected) {
    await write(path, 'x')
    const response = await fetch(`${server.url}/${path}`)
    assert.equal(response.headers.get('content-type'), type, path)
    assert.equal(response.headers.get('cache-control'), policy, path)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(response.headers.get('content-encoding'), null)
  }
  const missing = await fetch(`${server.url}/bin/1.0.0/none`)
  assert.equal(missing.headers.get('cache-control'), 'no-store')
})
