import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { brotliCompressSync } from 'node:zlib'

import { usableSources } from '../../../agent/download/usable-sources.ts'
import { homeAt } from '../../../agent/home/home.ts'
import { type Binary, sha256 } from '../../../manifests/index.ts'
import { faultyDisk } from '../faulty-disk.ts'
import {
  assertTidy,
  BOUNDED,
  failureOf,
  type Host,
  makeMachine,
  manifestOf,
  mountTmpfs,
  type Offer,
  program,
  publish,
  startHost,
  whatRuns,
} from '../field.ts'

const OFFER = { version: '1.0.1', artifact: Buffer.concat([program('1.0.1'), Buffer.alloc(50_000, '#')]), br: true }

/** Offers 1.0.1 with these bytes as its compressed download, signed as they are. */
function publishPacked(host: Host, packed: Buffer, artifact = OFFER.artifact): void {
  const downloads = [{ url: 'packed', size: packed.length, sha256: sha256(packed), encoding: 'br' }]
  const binary = { size: artifact.length, sha256: sha256(artifact), downloads }
  host.serve('packed', packed)
  host.serve('1.0.1.bin', artifact)
  host.serve('version.json', manifestOf({ ...OFFER, br: false, binary }))
}

describe('the download of an artifact', { ...BOUNDED, concurrency: true }, () => {
  test('takes the smallest form that it can use', async (t) => {
    const host = await startHost(t)
    publish(host, OFFER)
    const { poll, home } = await makeMachine(t, host)
    await poll()
    assert.deepEqual(host.requests, ['version.json', '1.0.1.br'])
    assert.equal(whatRuns(home).answers, '1.0.1')
    assertTidy(home)
    assert.deepEqual(fs.readdirSync(home.staging), [])
  })

  test('passes over encodings and deltas that it does not know', () => {
    const hash = sha256(Buffer.from('x'))
    const binary: Binary = {
      url: 'whole',
      size: 100,
      sha256: hash,
      downloads: [
        { url: 'later', size: 1, sha256: hash, encoding: 'from-the-future' },
        { url: 'delta', size: 2, sha256: hash, encoding: 'br', from: hash },
        { url: 'plain', size: 3, sha256: hash },
        { url: 'larger', size: 300, sha256: hash, encoding: 'br' },
        { url: 'packed', size: 30, sha256: hash, encoding: 'br' },
      ],
    }
    assert.deepEqual(
      usableSources(binary).map(({ url }) => url),
      ['packed', 'whole', 'larger'],
    )
  })

  const big = Buffer.concat([program('1.0.1'), Buffer.from('# '), Buffer.from(randomBytes(300_000).toString('hex'))])
  const faults: Record<string, [code: string, inflict: (host: Host) => void]> = {
    'is not there': ['ERR_NETWORK_STATUS', (host) => void host.answers.delete('packed')],
    'has other bytes': [
      'ERR_BYTES_HASH',
      (host) => host.serve('packed', Buffer.alloc(brotliCompressSync(OFFER.artifact).length)),
    ],
    'is too short': ['ERR_BYTES_SIZE', (host) => host.serve('packed', brotliCompressSync(OFFER.artifact).subarray(1))],
    'is no brotli': ['ERR_BYTES_ENCODING', (host) => publishPacked(host, Buffer.from('no brotli at all'))],
    'is brotli that ends early': [
      'ERR_BYTES_ENCODING',
      (host) => publishPacked(host, brotliCompressSync(OFFER.artifact).subarray(0, -5)),
    ],
    'unpacks to other bytes': [
      'ERR_BYTES_HASH',
      (host) => publishPacked(host, brotliCompressSync(Buffer.alloc(OFFER.artifact.length))),
    ],
    'unpacks to too little': [
      'ERR_BYTES_SIZE',
      (host) => publishPacked(host, brotliCompressSync(OFFER.artifact.subarray(1))),
    ],
    'unpacks to 100 MB': [
      'ERR_BYTES_SIZE',
      (host) => publishPacked(host, brotliCompressSync(Buffer.alloc(100_000_000))),
    ],
    'unpacks to too much from much': [
      'ERR_BYTES_SIZE',
      (host) => publishPacked(host, brotliCompressSync(Buffer.concat([Buffer.alloc(1_000_000), big])), big),
    ],
    'would have to be had from elsewhere': [
      'ERR_NETWORK_URL',
      (host) => {
        const downloads = [{ url: 'file:///etc/passwd', size: 5, sha256: sha256(Buffer.from('x')), encoding: 'br' }]
        host.serve('version.json', manifestOf({ ...OFFER, br: false, binary: { downloads } }))
      },
    ],
  }
  for (const [name, [code, inflict]] of Object.entries(faults)) {
    test(`falls back to the whole artifact when the compressed one ${name}, and reports it`, async (t) => {
      const host = await startHost(t)
      publishPacked(host, brotliCompressSync(OFFER.artifact))
      inflict(host)
      const { poll, home, events } = await makeMachine(t, host)
      assert.equal((await poll()).kind, 'swapped')
      const failed = events.filter((event) => event.kind === 'download-failed')
      assert.deepEqual(
        failed.map((event) => [event.source, (event.error as { code: string }).code]),
        [['br', code]],
      )
      assert.equal(whatRuns(home).answers, '1.0.1')
      assertTidy(home)
      assert.deepEqual(fs.readdirSync(home.staging), [])
    })
  }

  test('does not ask for the whole when the host is busy or gone', async (t) => {
    const host = await startHost(t)
    publish(host, OFFER)
    const { poll } = await makeMachine(t, host)
    host.answer('1.0.1.br', (_, response) => void response.writeHead(503, { 'retry-after': '120' }).end())
    assert.equal((await failureOf(() => poll())).details['retryAfterMs'], 120_000)
    host.answer('1.0.1.br', (request) => void request.socket.destroy())
    assert.equal((await failureOf(() => poll())).code, 'ERR_NETWORK_UNREACHABLE')
    assert.equal(host.requests.includes('1.0.1.bin'), false)
  })

  test('ends with the error of the disk when cleaning up fails as well', async (t) => {
    const host = await startHost(t)
    publish(host, OFFER)
    const { poll, home, settings } = await makeMachine(t, host)
    const fails: Record<string, string> = { create: 'ENFILE', removeTree: 'EBUSY' }
    let isMade = false
    const { disk } = faultyDisk(({ kind, path }) => {
      if (!path.endsWith('.unverified')) return undefined
      // What is in the way is removed first; only after the failure nothing can be.
      isMade ||= kind === 'create'
      return isMade ? fails[kind] : undefined
    })
    Object.assign(settings, { home: homeAt(home.path, disk) })
    const error = await failureOf(() => poll())
    assert.deepEqual([error.code, error.details['errno']], ['ERR_STAGE_IO', 'ENFILE'])
    assert.deepEqual(fs.readdirSync(home.staging), [])
  })

  /** The reserve of 16 MiB, and this many more. */
  const roomFor = (mebibytes: number): string => `${16 * 1024 + 256 + mebibytes * 1024}k`
  const MEBIBYTE = 1024 * 1024
  const large = Buffer.concat([program('1.0.1'), Buffer.alloc(6 * MEBIBYTE, '#')])
  const packed = brotliCompressSync(large)
  const rooms: Record<string, [mebibytes: number, kept: number, offer: Partial<Offer>, code?: string]> = {
    'a plain file once': [7, 0, {}],
    'what is missing only': [7, 4 * MEBIBYTE, {}],
    'no file that is larger': [5, 0, {}, 'ERR_STAGE_SPACE'],
    'a compressed one and what comes out of it': [7, 0, { br: true }],
    'that after removing what is in the way': [7, 5 * MEBIBYTE, { br: true }],
    'no archive without its tree': [7, 0, { binary: { unpack: 'tar', entry: 'agent' } }, 'ERR_STAGE_SPACE'],
    'nothing, and gives back what was kept': [5, 4 * MEBIBYTE, {}, 'ERR_STAGE_SPACE'],
  }
  for (const [name, [mebibytes, kept, offer, code]] of Object.entries(rooms)) {
    test(`asks the disk for ${name}`, async (t) => {
      const mounted = mountTmpfs(t, roomFor(mebibytes))
      if (mounted === undefined) return t.skip('no right to mount a file system here')
      const host = await startHost(t)
      publish(host, { version: '1.0.1', artifact: large, ...offer })
      if (offer.br === true) assert.ok(packed.length < MEBIBYTE / 2)
      const { poll, home } = await makeMachine(t, host, {}, join(mounted, 'home'))
      if (kept > 0) fs.writeFileSync(join(home.staging, `${sha256(large)}.partial`), large.subarray(0, kept))
      if (code === undefined) assert.equal((await poll()).kind, 'swapped')
      else assert.equal((await failureOf(() => poll())).code, code)
      assert.deepEqual(fs.readdirSync(home.staging), [])
      const isContinued = host.requests.some((request) => request.includes('bytes='))
      assert.equal(isContinued, name === 'what is missing only')
    })
  }

  test('makes room by removing what earlier updates left unfinished', async (t) => {
    const host = await startHost(t)
    publish(host, OFFER)
    const { poll, home } = await makeMachine(t, host)
    fs.writeFileSync(join(home.staging, `${'0'.repeat(64)}.partial`), 'of another version')
    fs.mkdirSync(join(home.staging, '0.9.0.staged'))
    await poll()
    assert.deepEqual(fs.readdirSync(home.staging), [])
  })
})
