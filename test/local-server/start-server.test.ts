import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { startServer } from '../../local-server/index.ts'
import { BOUNDED, bigContent, makeDir, openSocket, sendRaw, startSite, waitFor } from './site.ts'

test('a free port is taken for port 0, and the url names it', async (t) => {
  const { server } = await startSite(t)
  assert.ok(server.port > 0)
  assert.equal(server.url, `http://127.0.0.1:${server.port}`)
})

test('an occupied port rejects with the plain error of node', async (t) => {
  const { server, dir } = await startSite(t)
  await assert.rejects(startServer({ dir, port: server.port }), { code: 'EADDRINUSE' })
})

test('a folder that is absent, or is a file, is refused at the start', async (t) => {
  const dir = await makeDir(t)
  await writeFile(join(dir, 'file'), '')
  await assert.rejects(startServer({ dir: join(dir, 'absent'), port: 0 }), { code: 'ENOENT' })
  await assert.rejects(startServer({ dir: join(dir, 'file'), port: 0 }), { code: 'ENOTDIR' })
})

test('an IPv6 host is put in brackets in the url', async (t) => {
  const dir = await makeDir(t)
  let server
  try {
    server = await startServer({ dir, host: '::1', port: 0 })
  } catch {
    return t.skip('no IPv6 on this machine')
  }
  assert.equal(server.url, `http://[::1]:${server.port}`)
  assert.equal((await fetch(`${server.url}/nothing`)).status, 404)
  await server.close()
})

test('close ends idle keep-alive connections and silent ones at once', BOUNDED, async (t) => {
  const { server, write } = await startSite(t)
  await write('version.json', '{}')
  const idle = await openSocket(server)
  idle.write('GET /version.json HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(idle, 'data')
  const silent = await openSocket(server)
  const ended = Promise.all([once(idle.resume(), 'close'), once(silent.resume(), 'close')])
  // Within an hour of grace only connections that are closed without it let this test end.
  await server.close(3_600_000)
  await ended
})

test('close lets a running response end, then closes its connection', BOUNDED, async (t) => {
  const { server, write, lines } = await startSite(t)
  const content = bigContent(1, 16 * 1024 * 1024)
  await write('bin/1.0.0/agent', content)
  const socket = await openSocket(server)
  socket.write('GET /bin/1.0.0/agent HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'readable')

  const closed = server.close(3_600_000)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  await closed

  const answer = Buffer.concat(chunks)
  const body = answer.subarray(answer.indexOf('\r\n\r\n') + 4)
  assert.equal(digest(body), digest(content))
  assert.match(lines[0] ?? '', / 200 16777216 /)
})

test(
  'close cuts a response that does not end within the grace, and its line is written by then',
  BOUNDED,
  async (t) => {
    const { server, write, lines } = await startSite(t)
    await write('bin/1.0.0/agent', bigContent(1, 64 * 1024 * 1024))
    const socket = await openSocket(server)
    socket.on('error', () => {})
    socket.write('GET /bin/1.0.0/agent HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'readable')
    await server.close(50)
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /"GET \/bin\/1\.0\.0\/agent HTTP\/1\.1" 200 /)
    socket.destroy()
  },
)

test('no new connection is accepted after close, and closing twice is the same as once', async (t) => {
  const { server } = await startSite(t)
  const first = server.close()
  assert.equal(server.close(), first)
  await first
  await assert.rejects(openSocket(server), { code: 'ECONNREFUSED' })
})

test('many pipelined requests are answered in order, without a warning', async (t) => {
  const { server, write, lines } = await startSite(t)
  const warnings: Error[] = []
  const collect = (warning: Error) => warnings.push(warning)
  process.on('warning', collect)
  t.after(() => process.off('warning', collect))
  const count = 40
  for (let i = 0; i < count; i++) await write(`file-${i}.txt`, `<body ${i}>`)

  const requests = Array.from({ length: count }, (_, i) => `GET /file-${i}.txt HTTP/1.1\r\nHost: x\r\n\r\n`)
  const last = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
  const answer = await sendRaw(server, requests.join('') + last)

  const bodies = [...answer.matchAll(/<body (\d+)>/g)].map((match) => Number(match[1]))
  assert.deepEqual(bodies, [...Array(count).keys()])
  await waitFor(() => lines.length === count + 1)
  assert.deepEqual(warnings, [])
})

test('pipelined requests of a client that leaves are all logged, and close still ends', BOUNDED, async (t) => {
  const { server, write, lines } = await startSite(t)
  await write('bin/1.0.0/agent', bigContent(1, 32 * 1024 * 1024))
  const socket = await openSocket(server)
  socket.write('GET /bin/1.0.0/agent HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3))
  await once(socket, 'readable')
  await waitFor(() => socket.bytesRead > 0)
  socket.destroy()
  await server.close(3_600_000)
  assert.equal(lines.length, 3)
})

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
