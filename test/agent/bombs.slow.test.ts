// Bombs at their full size, and a host that is slow beyond all patience at the limits that agents really have.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { constants, createBrotliCompress } from 'node:zlib'

import { sha256 } from '../../manifests/index.ts'
import { assertTidy, failureOf, makeMachine, manifestOf, program, publish, startHost, whatRuns } from './field.ts'
import { archive, type Member } from './tar-bytes.ts'

const MEBIBYTE = 1024 * 1024
const PATIENT = { timeout: 300_000, concurrency: true }

/** As many zero bytes as brotli. */
async function packZeros(bytes: number): Promise<Buffer> {
  const zeros = Buffer.alloc(16 * MEBIBYTE)
  const packer = createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
  const chunks: Buffer[] = []
  packer.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = once(packer, 'end')
  for (let at = 0; at < bytes; at += zeros.length) if (!packer.write(zeros)) await once(packer, 'drain')
  packer.end()
  await ended
  return Buffer.concat(chunks)
}

describe('against bombs and slow hosts', PATIENT, () => {
  test('case 64: a bomb of 10 GB of zeros is cut off at the signed size, on the disk and in memory', async (t) => {
    const bomb = await packZeros(10 * 1024 * MEBIBYTE)
    assert.ok(bomb.length < 4 * MEBIBYTE, `${bomb.length}`)
    const host = await startHost(t)
    const artifact = Buffer.concat([program('1.0.1'), Buffer.alloc(5 * MEBIBYTE, '#')])
    const downloads = [{ url: 'bomb', size: bomb.length, sha256: sha256(bomb), encoding: 'br' }]
    const offer = { version: '1.0.1', sequence: 10, artifact, binary: { downloads } }
    host.serve('bomb', bomb)
    host.serve('version.json', manifestOf(offer))
    const { home, poll, events } = await makeMachine(t, host)
    const before = whatRuns(home)
    let largest = 0
    const watch = setInterval(() => {
      for (const name of fs.readdirSync(home.staging)) {
        largest = Math.max(largest, fs.statSync(join(home.staging, name), { throwIfNoEntry: false })?.size ?? 0)
      }
    }, 1)
    const rss = process.memoryUsage().rss
    const error = await failureOf(() => poll())
    clearInterval(watch)
    // The whole artifact is missing, too: only the fault of the bomb is looked at.
    assert.equal(error.code, 'ERR_NETWORK_STATUS')
    const failed = events.find((event) => event.kind === 'download-failed')
    assert.equal(failed?.kind === 'download-failed' && (failed.error as { code: string }).code, 'ERR_BYTES_SIZE')
    assert.ok(largest <= artifact.length, `${largest}`)
    assert.ok(process.memoryUsage().rss - rss < 256 * MEBIBYTE)
    assert.deepEqual(whatRuns(home), before)
    assertTidy(home)
    assert.deepEqual(fs.readdirSync(home.staging), [])
    host.serve('1.0.1.bin', artifact)
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 64: an archive of a million entries is given up at a hundred thousand', async (t) => {
    const host = await startHost(t)
    const { home, poll } = await makeMachine(t, host)
    const before = whatRuns(home)
    const entries: Member[] = Array.from({ length: 100_001 }, (_, index) => ({ name: `${index}/`, type: '5' }))
    const last = archive(...entries)
    // What comes after the limit is never read as entries: the same ones again.
    const artifact = Buffer.concat([...Array.from({ length: 10 }, () => last.subarray(0, -1024)), Buffer.alloc(1024)])
    const binary = { unpack: 'tar', entry: 'agent' }
    publish(host, { version: '1.0.1', sequence: 10, artifact, binary })
    assert.equal(artifact.length / 512 > 1_000_000, true)
    const error = await failureOf(() => poll())
    assert.equal(error.code, 'ERR_STAGE_ARCHIVE')
    assert.match(error.message, /more than the archive can hold/)
    assert.deepEqual(whatRuns(home), before)
    assertTidy(home)
    assert.deepEqual(fs.readdirSync(home.staging), [])
    const small = archive({ name: 'agent', body: program('1.0.1'), mode: 0o755 }, ...entries.slice(0, 100))
    publish(host, { version: '1.0.1', sequence: 11, artifact: small, binary })
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 50: a host that sends a byte every ten seconds is given up within minutes: of the manifest, and of the artifact', async (t) => {
    const drip = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
      const timer = setInterval(() => socket.write(' '), 10_000).unref()
      socket.on('close', () => clearInterval(timer))
    }).listen(0, '127.0.0.1')
    await once(drip, 'listening')
    t.after(() => drip.close())
    const slow = `http://127.0.0.1:${(drip.address() as AddressInfo).port}`
    const host = await startHost(t)
    const [manifest, artifact] = await Promise.all(
      ['manifest', 'artifact'].map(async (which) => {
        const binary = { url: `${slow}/1.0.1.bin` }
        if (which === 'artifact') publish(host, { version: '1.0.1', sequence: 10, binary })
        const { home, poll } = await makeMachine(t, which === 'manifest' ? { url: slow } : host)
        const before = whatRuns(home)
        const started = performance.now()
        const error = await failureOf(() => poll())
        assert.deepEqual(whatRuns(home), before)
        assertTidy(home)
        return { code: error.code, seconds: (performance.now() - started) / 1000 }
      }),
    )
    assert.equal(manifest?.code, 'ERR_NETWORK_TIMEOUT')
    assert.equal(artifact?.code, 'ERR_NETWORK_TIMEOUT')
    // A poll has 60 s in all; a download is measured for 60 s and looked at when the next byte comes.
    for (const found of [manifest, artifact]) assert.ok((found?.seconds ?? 0) >= 59, JSON.stringify(found))
  })
})
