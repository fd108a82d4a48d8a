import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'
import { failsNow, latency, throttle } from '../../local-server/faults.ts'
import { openSocket, startSite, waitFor } from './site.ts'

test('a fail rate of 1 answers every request with 503, and of 0 none', async (t) => {
  const failing = await startSite(t, { faults: { failRate: 1 } })
  const sound = await startSite(t, { faults: { failRate: 0 } })
  for (const site of [failing, sound]) await site.write('version.json', '{}')
  const response = await fetch(`${failing.server.url}/version.json`)
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal((await fetch(`${sound.server.url}/version.json`)).status, 200)
})

test('a fail rate is the share of the random numbers below it', () => {
  let next = 0
  const random = () => (next++ % 100) / 100
  const failed = Array.from({ length: 1000 }, () => failsNow({ failRate: 0.25, random })).filter(Boolean)
  assert.equal(failed.length, 250)
})

test('a throttled body is whole, and comes in pieces of a tenth of a second', async () => {
  async function* chunks() {
    yield Buffer.from('abcdefghij')
    yield Buffer.from('klm')
  }
  const pieces: string[] = []
  for await (const piece of throttle({ bytesPerSecond: 40_000 }, chunks())) pieces.push(piece.toString())
  assert.deepEqual(pieces, ['abcdefghij', 'klm'])
  const small: string[] = []
  for await (const piece of throttle({ bytesPerSecond: 400 }, chunks())) small.push(piece.toString())
  assert.equal(small.join(''), 'abcdefghijklm')
  const stepped: number[] = []
  for await (const piece of throttle({ bytesPerSecond: 50 }, chunks())) stepped.push(piece.length)
  assert.deepEqual(stepped, [5, 5, 3])
})

test('latency delays the answer and ends when the client is gone', async (t) => {
  await latency({ latencyMs: 3_600_000 }, AbortSignal.abort())
  const { server, lines } = await startSite(t, { faults: { latencyMs: 3_600_000 } })
  const socket = await openSocket(server)
  // The 100 says that the server has the request, whose answer would come in an hour.
  socket.write('GET /version.json HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n')
  await once(socket, 'data')
  socket.resetAndDestroy()
  await waitFor(() => lines.length === 1)
  assert.match(lines[0] ?? '', /"GET \/version\.json HTTP\/1\.1" 499 0 /)
})

test('faults outside their range are refused at the start', async (t) => {
  for (const faults of [{ failRate: 2 }, { failRate: Number.NaN }, { bytesPerSecond: 0 }, { latencyMs: -1 }]) {
    await assert.rejects(startSite(t, { faults }), RangeError)
  }
})
