import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, rename, symlink, utimes, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { BOUNDED, bigContent, openSocket, sendRaw, startSite, statusOfTarget, waitFor } from './site.ts'

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

test('a manifest is JSON with the ETag of its content, revalidated at each use, and without a date', async (t) => {
  const { server, write } = await startSite(t)
  await write('version.json', '{"version":"1.0.0"}')
  const response = await fetch(`${server.url}/version.json?cache=bust`)
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'application/json')
  assert.equal(response.headers.get('etag'), `"${sha256('{"version":"1.0.0"}')}"`)
  assert.equal(response.headers.get('cache-control'), 'no-cache')
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  assert.equal(response.headers.get('accept-ranges'), 'bytes')
  assert.equal(response.headers.get('last-modified'), null)
  assert.equal(await response.text(), '{"version":"1.0.0"}')
})

test('two manifests of one size and one mtime have different ETags', async (t) => {
  const { server, write } = await startSite(t)
  const when = new Date('2026-01-01T00:00:00Z')
  await utimes(await write('version.json', '{"sequence":1}'), when, when)
  const first = (await fetch(`${server.url}/version.json`)).headers.get('etag') ?? ''
  await utimes(await write('version.json', '{"sequence":2}'), when, when)
  const headers = { 'if-none-match': first, 'if-modified-since': new Date().toUTCString() }
  const second = await fetch(`${server.url}/version.json`, { headers })
  assert.equal(second.status, 200)
  assert.equal(await second.text(), '{"sequence":2}')
})

test('a large artifact replaced by another of its size and mtime has another ETag', async (t) => {
  const { server, write } = await startSite(t)
  const when = new Date('2026-01-01T00:00:00Z')
  for (const seed of [1, 2, 3]) {
    const path = await write('bin/1.0.0/agent', bigContent(seed))
    await utimes(path, when, when)
    const response = await fetch(`${server.url}/bin/1.0.0/agent`)
    assert.equal(response.headers.get('etag'), `"${sha256(bigContent(seed))}"`)
    assert.equal(sha256(Buffer.from(await response.arrayBuffer())), sha256(bigContent(seed)))
  }
})

test('the known ETag gives 304 without a body, also through the no-cache that fetch adds', async (t) => {
  const { server, write, lines } = await startSite(t)
  await write('version.json', '{}')
  const etag = `"${sha256('{}')}"`
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const response = await fetch(`${server.url}/version.json`, { headers: { 'if-none-match': tag } })
    assert.equal(response.status, 304, tag)
    assert.equal(response.headers.get('etag'), etag)
    assert.equal(response.headers.get('cache-control'), 'no-cache')
  }
  await waitFor(() => lines.length === 4)
  assert.match(lines[0] ?? '', / 304 0 /)
})

test('a date alone never gives 304 or 412', async (t) => {
  const { server, write } = await startSite(t)
  await write('version.json', '{}')
  for (const name of ['if-modified-since', 'if-unmodified-since']) {
    const headers = { [name]: new Date('2000-01-01').toUTCString() }
    assert.equal((await fetch(`${server.url}/version.json`, { headers })).status, 200, name)
  }
  const future = { 'if-modified-since': new Date('2100-01-01').toUTCString() }
  assert.equal((await fetch(`${server.url}/version.json`, { headers: future })).status, 200)
})

test('If-Match with another ETag gives 412, and no cache may keep that', async (t) => {
  const { server, write } = await startSite(t)
  await write('bin/1.0.0/agent', 'bytes')
  const response = await fetch(`${server.url}/bin/1.0.0/agent`, { headers: { 'if-match': '"other"' } })
  assert.equal(response.status, 412)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.headers.get('etag'), null)
})

for (const [size, name] of [
  [1000, 'small'],
  [8 * 1024 * 1024, 'large'],
] as const) {
  test(`ranges of a ${name} file are served, and a download can be resumed`, async (t) => {
    const { server, write } = await startSite(t)
    const content = bigContent(1, size)
    await write('bin/1.0.0/agent', content)
    const get = (headers: Record<string, string>) => fetch(`${server.url}/bin/1.0.0/agent`, { headers })
    const etag = `"${sha256(content)}"`

    const cases = [
      { range: 'bytes=0-0', start: 0, end: 0 },
      { range: 'bytes=500-', start: 500, end: size - 1 },
      { range: 'bytes=-10', start: size - 10, end: size - 1 },
      { range: 'bytes=100-99999999', start: 100, end: size - 1 },
    ]
    for (const { range, start, end } of cases) {
      const response = await get({ range, 'if-range': etag })
      assert.equal(response.status, 206, range)
      assert.equal(response.headers.get('content-range'), `bytes ${start}-${end}/${size}`)
      assert.equal(response.headers.get('content-length'), String(end - start + 1))
      const body = Buffer.from(await response.arrayBuffer())
      assert.ok(body.equals(content.subarray(start, end + 1)), range)
    }

    const stale = await get({ range: 'bytes=500-', 'if-range': '"other"' })
    assert.equal(stale.status, 200)
    assert.equal((await stale.arrayBuffer()).byteLength, size)

    const beyond = await get({ range: `bytes=${size}-` })
    assert.equal(beyond.status, 416)
    assert.equal(beyond.headers.get('content-range'), `bytes */${size}`)
    assert.equal(beyond.headers.get('cache-control'), 'no-store')
  })
}

test('an empty file is served as nothing', async (t) => {
  const { server, write } = await startSite(t)
  await write('bin/1.0.0/empty', '')
  const response = await fetch(`${server.url}/bin/1.0.0/empty`)
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-length'), '0')
  assert.equal(await response.text(), '')
})

test('HEAD has the header of GET and no body', async (t) => {
  const { server, write } = await startSite(t)
  await write('bin/1.0.0/agent', bigContent(1))
  const head = await sendRaw(server, 'HEAD /bin/1.0.0/agent HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.match(head, /^HTTP\/1\.1 200 /)
  assert.match(head, /content-length: 8388608\r\n/i)
  assert.match(head, /etag: "[0-9a-f]{64}"\r\n/i)
  assert.ok(head.endsWith('\r\n\r\n'))
  const missing = await sendRaw(server, 'HEAD /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.match(missing, /^HTTP\/1\.1 404 /)
  assert.ok(missing.endsWith('\r\n\r\n'))
})

test('other methods are refused with the allowed ones', async (t) => {
  const { server, write } = await startSite(t)
  await write('version.json', '{}')
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const response = await fetch(`${server.url}/version.json`, { method })
    assert.equal(response.status, 405, method)
    assert.equal(response.headers.get('allow'), 'GET, HEAD')
  }
})

test('targets that leave the folder, hide or cannot be read are refused', async (t) => {
  const { server, dir, write } = await startSite(t)
  await write('version.json', '{}')
  await write('.lock', 'secret')
  await write('bin/.tmp/agent', 'secret')
  await writeFile(join(dir, '..', 'outside'), 'secret')
  const expected: Record<string, number> = {
    '/version.json': 200,
    'http://any.example/version.json': 200,
    '/version%2Ejson': 200,
    '/../outside': 403,
    '/bin/../../outside': 403,
    '/%2e%2e/outside': 403,
    '/..%2foutside': 403,
    '/bin%2f..%2f..%2foutside': 403,
    '/..\\outside': 403,
    '/..%5coutside': 403,
    '/version.json%00': 400,
    '/version.json%0a': 400,
    '/%': 400,
    '/%ff': 400,
    '/.lock': 404,
    '/%2elock': 404,
    '/bin/.tmp/agent': 404,
    '/./version.json': 404,
    '/': 404,
    '/bin': 404,
    '/bin/': 404,
    '//version.json': 404,
    '/version.json/': 404,
    '/version.json/x': 404,
    [`/${'x'.repeat(300)}`]: 404,
  }
  for (const [target, status] of Object.entries(expected)) {
    assert.equal(await statusOfTarget(server, target), status, target)
  }
})

test('a symbolic link is followed inside the folder and refused when it leads out', async (t) => {
  const { server, dir, write } = await startSite(t)
  await write('bin/1.0.0/agent', 'bytes')
  await writeFile(join(dir, '..', 'outside'), 'secret')
  await symlink('1.0.0', join(dir, 'bin', 'latest'))
  await symlink('../outside', join(dir, 'leak'))
  await symlink('..', join(dir, 'up'))
  await symlink('nowhere', join(dir, 'dangling'))
  await symlink('loop', join(dir, 'loop'))
  assert.equal(await statusOfTarget(server, '/bin/latest/agent'), 200)
  assert.equal(await statusOfTarget(server, '/leak'), 403)
  assert.equal(await statusOfTarget(server, '/up/outside'), 403)
  assert.equal(await statusOfTarget(server, '/dangling'), 404)
  assert.equal(await statusOfTarget(server, '/loop'), 404)
})

test('a served folder may itself lie behind a link and under a hidden folder', async (t) => {
  const real = await startSite(t)
  await real.write('.hidden/site/version.json', '{}')
  await symlink('.hidden/site', join(real.dir, 'link'))
  const { server } = await startSite(t, { dir: join(real.dir, 'link') })
  assert.equal(await statusOfTarget(server, '/version.json'), 200)
})

test('a pipe in the folder is not found, and nobody waits for its writer', BOUNDED, async (t) => {
  const { server, dir } = await startSite(t)
  try {
    await promisify(execFile)('mkfifo', [join(dir, 'pipe')])
  } catch {
    return t.skip('no mkfifo on this machine')
  }
  assert.equal(await statusOfTarget(server, '/pipe'), 404)
})

test('a file replaced by rename while it is sent arrives whole, as its ETag says', async (t) => {
  const { server, dir, write } = await startSite(t)
  const old = bigContent(1, 32 * 1024 * 1024)
  await write('bin/1.0.0/agent', old)
  const response = await fetch(`${server.url}/bin/1.0.0/agent`)
  await write('bin/1.0.0/next', bigContent(2, 32 * 1024 * 1024))
  await rename(join(dir, 'bin/1.0.0/next'), join(dir, 'bin/1.0.0/agent'))
  const body = Buffer.from(await response.arrayBuffer())
  assert.equal(response.headers.get('etag'), `"${sha256(old)}"`)
  assert.equal(sha256(body), sha256(old))
})

test('under constant replacement every body is the one of its ETag', BOUNDED, async (t) => {
  const { server, dir, write } = await startSite(t)
  let stop = false
  await write('version.json', 'start')
  await write('bin/agent', bigContent(0, 400_000))
  const replacing = (async () => {
    for (let seed = 1; !stop; seed++) {
      await write('next-manifest', `{"sequence":${100_000 + seed}}`)
      await rename(join(dir, 'next-manifest'), join(dir, 'version.json'))
      await write('next-agent', bigContent(seed, 400_000))
      await rename(join(dir, 'next-agent'), join(dir, 'bin/agent'))
    }
  })()
  for (let i = 0; i < 150; i++) {
    const response = await fetch(`${server.url}/${i % 2 === 0 ? 'version.json' : 'bin/agent'}`)
    assert.equal(response.status, 200)
    const body = Buffer.from(await response.arrayBuffer())
    assert.equal(response.headers.get('etag'), `"${sha256(body)}"`)
  }
  stop = true
  await replacing
})

test('a file written in place while it is sent is cut off, never mixed', async (t) => {
  const { server, write, lines } = await startSite(t)
  const path = await write('bin/1.0.0/agent', bigContent(1, 64 * 1024 * 1024))
  const response = await fetch(`${server.url}/bin/1.0.0/agent`)
  await appendFile(path, 'more')
  await assert.rejects(response.arrayBuffer())
  await waitFor(() => lines.length === 1)
  assert.ok(Number(lines[0]?.split(' ')[9]) < 64 * 1024 * 1024)
})

test('a client that leaves midway is logged with the bytes that left', async (t) => {
  const { server, write, lines } = await startSite(t)
  const size = 64 * 1024 * 1024
  await write('bin/1.0.0/agent', bigContent(1, size))
  const socket = await openSocket(server)
  socket.write('GET /bin/1.0.0/agent HTTP/1.1\r\nHost: x\r\nUser-Agent: agent/1.0.0\r\n\r\n')
  await once(socket, 'readable')
  socket.destroy()
  await waitFor(() => lines.length === 1)
  const [, status, bytes] = /" (\d+) (\d+) "-" "agent\/1\.0\.0"$/.exec(lines[0] ?? '') ?? []
  assert.equal(status, '200')
  assert.ok(Number(bytes) > 0 && Number(bytes) < size, bytes)
})
