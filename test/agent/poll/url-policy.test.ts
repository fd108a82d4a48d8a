import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { manifestUrl, resolveUrl, withoutSecrets } from '../../../agent/poll/url-policy.ts'
import { failureOf } from '../field.ts'

const PUBLIC = new URL('https://updates.example.com/agent/version.json')
const PLAIN = new URL('http://updates.example.com/agent/version.json')
const LOCAL = new URL('http://127.0.0.1:8090/version.json')

describe('where an agent may send a request', () => {
  test('is anywhere public over https, and over http when it is configured with http', () => {
    assert.equal(resolveUrl('bin/x', PUBLIC).href, 'https://updates.example.com/agent/bin/x')
    assert.equal(resolveUrl('https://cdn.example.net/x', PUBLIC).href, 'https://cdn.example.net/x')
    assert.equal(resolveUrl('https://cdn.example.net/x', PLAIN).href, 'https://cdn.example.net/x')
    assert.equal(resolveUrl('http://cdn.example.net/x', PLAIN).href, 'http://cdn.example.net/x')
    assert.equal(resolveUrl('http://10.0.0.5/x', LOCAL).href, 'http://10.0.0.5/x')
  })

  test('is never a weaker transport, another scheme, or a URL with credentials', async () => {
    for (const reference of [
      'http://updates.example.com/x',
      'http:/x',
      'file:///etc/passwd',
      'ftp://example.com/x',
      'data:text/plain,x',
      'javascript:0',
      'blob:https://updates.example.com/x',
      'https://good@evil.example.com/',
      'https://:pw@evil.example.com/',
      'https://',
      'https://[',
      'https://a b/',
    ]) {
      assert.equal((await failureOf(() => resolveUrl(reference, PUBLIC))).code, 'ERR_NETWORK_URL', reference)
    }
  })

  test('is never inside the machine or its network when the source is outside, however that is written', async () => {
    for (const host of [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '0.0.0.0',
      'localhost',
      'LOCALHOST',
      'localhost.',
      'x.localhost',
      '127.0.0.1.',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:a9fe:a9fe]',
      '[fd00::1]',
      '[fe80::1]',
    ]) {
      assert.equal((await failureOf(() => resolveUrl(`https://${host}/x`, PUBLIC))).code, 'ERR_NETWORK_URL', host)
      assert.equal((await failureOf(() => resolveUrl(`//${host}/x`, PUBLIC))).code, 'ERR_NETWORK_URL', host)
    }
    for (const host of ['172.32.0.1', '11.0.0.1', '100.128.0.1', '[2001:db8::1]', 'localhost.example.com']) {
      assert.doesNotThrow(() => resolveUrl(`https://${host}/x`, PUBLIC), host)
    }
  })

  test('case 47: is the host that a URL means, however it is written, and never a path out of the place that it names', async () => {
    // What looks like a path and is a host: public ones may be named (the bytes are checked), internal ones not.
    for (const reference of ['//cdn.example.net/x', '\\\\cdn.example.net/x', '/\\cdn.example.net/x']) {
      assert.equal(resolveUrl(reference, PUBLIC).href, 'https://cdn.example.net/x', reference)
      const inside = reference.replace('cdn.example.net', '169.254.169.254')
      assert.equal((await failureOf(() => resolveUrl(inside, PUBLIC))).code, 'ERR_NETWORK_URL', inside)
      assert.equal(resolveUrl(inside, new URL('https://10.0.0.5/version.json')).hostname, '169.254.169.254')
    }
    assert.equal((await failureOf(() => resolveUrl('https://good@cdn.example.net/x', PUBLIC))).code, 'ERR_NETWORK_URL')
    // Dots end at the root of the host; escaped ones are sent as they are, and a server has to refuse them.
    assert.equal(resolveUrl('../../../x', PUBLIC).href, 'https://updates.example.com/x')
    assert.equal(resolveUrl('%2e%2e/x', PUBLIC).href, 'https://updates.example.com/x')
    assert.equal(resolveUrl('..%2f..%2fx', PUBLIC).href, 'https://updates.example.com/agent/..%2f..%2fx')
  })

  test('is told without credentials and query strings', async () => {
    const error = await failureOf(() => resolveUrl('https://user:secret@evil.example.com/x?token=secret', PUBLIC))
    assert.doesNotMatch(JSON.stringify(error), /secret/)
    assert.equal(withoutSecrets(new URL('https://a:b@example.com/x?y=z#w')), 'https://example.com/x')
  })
})

describe('the URL of the manifest', () => {
  test('is that of the server, with the channel', () => {
    assert.equal(manifestUrl('https://example.com', 'stable').href, 'https://example.com/version.json')
    assert.equal(manifestUrl('https://example.com/a', 'stable').href, 'https://example.com/a/version.json')
    assert.equal(manifestUrl('https://example.com/a/', 'beta').href, 'https://example.com/a/beta/version.json')
    assert.equal(manifestUrl('https://example.com/a/v.json', 'beta').href, 'https://example.com/a/v.json')
    assert.equal(manifestUrl('https://example.com/a?t=1', 'stable').href, 'https://example.com/a/version.json?t=1')
  })
})
