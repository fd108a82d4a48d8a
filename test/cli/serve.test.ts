import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'

import { temporaryFolder, writeTree } from '../release/project-fixture.ts'
import { runMoult, startMoult } from './moult-process.ts'

test('the server says where it is, logs each request, and ends with 0 on SIGTERM', async (t) => {
  const dir = await temporaryFolder(t)
  await writeTree(dir, { 'updates/version.json': '{}' })
  const { child, ended } = startMoult(['serve', '--port', '0'], dir)
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout ?? child, 'data')) as [string]
  const url = /^Serving \.\/updates at (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(line)?.[1]
  assert.equal(await (await fetch(`${url}/version.json`)).text(), '{}')
  child.kill('SIGTERM')
  const { code, stdout } = await ended
  assert.equal(code, 0)
  assert.match(stdout, /\n127\.0\.0\.1 - - \[.*\] "GET \/version\.json HTTP\/1\.1" 200 2 /)
})

test('--json gives the URL as an object, --quiet no log; SIGINT ends it too', async (t) => {
  const dir = await temporaryFolder(t)
  const { child, ended } = startMoult(['serve', '.', '--port', '0', '--json', '--quiet'], dir)
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout ?? child, 'data')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  assert.equal((await fetch(`${url}/none`)).status, 404)
  child.kill('SIGINT')
  assert.deepEqual(await ended, { code: 0, signal: null, stdout: line, stderr: '' })
})

test('a port in use is an error that names --port', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  const { code, stderr } = await runMoult(['serve', '.', '--port', String(port)], await temporaryFolder(t))
  assert.equal(code, 2)
  assert.match(
    stderr,
    new RegExp(`^error: in use: 127\\.0\\.0\\.1 port ${port}\nhint: .*--port.*\ncode: ERR_SERVER_PORT\n$`),
  )
})

test('numbers that make no sense are usage errors', async (t) => {
  const dir = await temporaryFolder(t)
  for (const args of [
    ['--port', 'http'],
    ['--port', '65536'],
    ['--latency', '-1'],
    ['--bandwidth', '0'],
  ]) {
    const { code, stderr } = await runMoult(['serve', '.', ...args], dir)
    assert.deepEqual([code, /code: ERR_USAGE_INVALID|argument missing/.test(stderr)], [2, true], stderr)
  }
})
