// What hosts, proxies and networks answer that is no manifest and no artifact. `update.test.ts` has the plain cases.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'

import { nextPollDelayMs } from '../../agent/poll/schedule.ts'
import { Updater } from '../../agent/updater.ts'
import {
  type Answer,
  artifactOf,
  assertTidy,
  failureOf,
  type Host,
  makeMachine,
  type Machine,
  manifestOf,
  NOW,
  type Offer,
  program,
  publish,
  startHost,
  waitFor,
  whatRuns,
} from './field.ts'

const NEXT: Offer = {
  version: '1.0.1',
  sequence: 10,
  artifact: Buffer.concat([program('1.0.1'), Buffer.alloc(200_000, '#')]),
}
const MANIFEST = manifestOf(NEXT)

/** A machine that polls a host with this fault, and then, as the valid twin, the same host without it. */
async function refusesOnce(t: TestContext, path: string, answer: Answer, code: string): Promise<[Machine, Host]> {
  const host = await startHost(t)
  publish(host, NEXT)
  const sound = host.answers.get(path)
  assert.ok(sound !== undefined)
  const machine = await makeMachine(t, host)
  const before = whatRuns(machine.home)
  host.answer(path, answer)
  const error = await failureOf(() => machine.poll())
  assert.equal(error.code, code, error.stack)
  assert.deepEqual(whatRuns(machine.home), before)
  assertTidy(machine.home)
  host.answer(path, sound)
  assert.equal((await machine.poll()).kind, 'swapped')
  assert.equal(whatRuns(machine.home).answers, '1.0.1')
  return [machine, host]
}

describe('a host that answers oddly', { timeout: 240_000, concurrency: 4 }, () => {
  const portal = Buffer.from('<!DOCTYPE html><title>Log in</title>')
  const odd: Record<string, [code: string, answer: Answer]> = {
    'a login page with status 200': ['ERR_MANIFEST_SYNTAX', (_, response) => void response.end(portal)],
    'a login page that says it is JSON': [
      'ERR_MANIFEST_SYNTAX',
      (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(portal),
    ],
    'status 511, as a network asks for a login': [
      'ERR_NETWORK_STATUS',
      (_, response) => void response.writeHead(511).end(portal),
    ],
    'status 203 of a proxy that changed the bytes': [
      'ERR_NETWORK_STATUS',
      (_, response) => void response.writeHead(203).end(MANIFEST),
    ],
    'status 202, not ready yet': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(202).end()],
    'status 205': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(205).end()],
    'status 300 with a choice': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(300).end()],
    'status 401': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(401).end()],
    'status 407 of a proxy': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(407).end()],
    'status 410': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(410).end()],
    'status 416 unasked': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(416).end()],
    'status 503 with Retry-After': [
      'ERR_NETWORK_STATUS',
      (_, response) => void response.writeHead(503, { 'retry-after': '30' }).end(),
    ],
    'status 599': ['ERR_NETWORK_STATUS', (_, response) => void response.writeHead(599).end()],
    'a status line that is none': ['ERR_NETWORK_UNREACHABLE', (request) => void request.socket.end('HELLO\r\n\r\n')],
    'a status line of another protocol': [
      'ERR_NETWORK_UNREACHABLE',
      (request) => void request.socket.end('SSH-2.0-x\r\n'),
    ],
    'no byte at all': ['ERR_NETWORK_UNREACHABLE', (request) => void request.socket.end()],
    'two lengths that differ': [
      'ERR_NETWORK_UNREACHABLE',
      (request) => void request.socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}`),
    ],
    'a length and chunks at once': [
      'ERR_NETWORK_UNREACHABLE',
      ({ socket }) =>
        void socket.end(
          `HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
        ),
    ],
    'a chunk whose size is no number': [
      'ERR_NETWORK_UNREACHABLE',
      ({ socket }) => void socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n'),
    ],
    'a manifest without its last byte, and no length': [
      'ERR_MANIFEST_SYNTAX',
      (_, response) => {
        response.flushHeaders()
        // The file ends in "}" and a line feed.
        response.end(MANIFEST.subarray(0, MANIFEST.lastIndexOf('}')))
      },
    ],
    'a redirect to a login page': [
      'ERR_MANIFEST_SYNTAX',
      (request, response) => {
        if (request.url?.includes('login') === true) return void response.end(portal)
        response.writeHead(302, { location: '/version.json?login' }).end()
      },
    ],
  }
  for (const [name, [code, answer]] of Object.entries(odd)) {
    test(`case 49: leaves the agent as it is with ${name}`, async (t) => {
      await refusesOnce(t, 'version.json', answer, code)
    })
  }

  test('case 49: is asked again after a growing pause, never at once, for as long as it asks but an hour', async (t) => {
    const host = await startHost(t)
    const asked: number[] = []
    const answers = ['0', '1', '999999999', 'Fri, 31 Dec 2099 23:59:59 GMT', '-1']
    host.answer('version.json', (_, response) => {
      const retryAfter = answers[asked.length] ?? '0'
      asked.push(asked.length)
      response.writeHead(asked.length % 2 === 0 ? 429 : 503, { 'retry-after': retryAfter }).end()
    })
    const { home } = await makeMachine(t, host)
    const delays: (number | undefined)[] = []
    const updater = new Updater({
      version: '1.0.0',
      home: home.path,
      env: {},
      settings: { server: host.url, interval: '20m', retries: 0 },
      firstPollMs: 0,
      clock: () => NOW,
      random: () => 0.5,
      onEvent: (event) => {
        if (event.kind === 'check-failed') delays.push(event.nextMs)
      },
    })
    updater.start()
    for (let poll = 1; poll <= answers.length; poll += 1) {
      await waitFor(() => delays.length === poll, `poll ${poll}`)
      // Without this it would sleep for what it has just announced.
      await new Promise((resolve) => setImmediate(resolve))
      if (poll < answers.length) updater.checkNow()
    }
    await updater.stop()
    assert.equal(asked.length, answers.length)
    const INTERVAL_MS = 20 * 60_000
    const expected = answers.map((_, index) =>
      nextPollDelayMs(INTERVAL_MS, index + 1, index === 2 ? 3_600_000 : 0, () => 0.5),
    )
    assert.deepEqual(delays, expected)
    assert.ok(delays.every((delay) => delay !== undefined && delay >= INTERVAL_MS))
  })

  test('case 49: a page of a portal in place of the artifact is refused by its size, or by its hash', async (t) => {
    const size = artifactOf(NEXT).length
    await refusesOnce(t, '1.0.1.bin', (_, response) => void response.end(portal), 'ERR_BYTES_SIZE')
    await refusesOnce(t, '1.0.1.bin', (_, response) => void response.end(Buffer.alloc(size, portal)), 'ERR_BYTES_HASH')
  })
})

describe('bytes that nobody asked to compress', { timeout: 240_000, concurrency: 4 }, () => {
  const bomb = Buffer.alloc(50_000_000)
  const packed = { gzip: gzipSync(bomb), br: brotliCompressSync(bomb), deflate: gzipSync(bomb), zstd: gzipSync(bomb) }
  for (const [encoding, bytes] of Object.entries(packed)) {
    test(`case 51: 50 MB as ${bytes.length} bytes of ${encoding} stay what they are, and are no manifest`, async (t) => {
      const answer: Answer = (_, response) => {
        response.writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length }).end(bytes)
      }
      const [, host] = await refusesOnce(t, 'version.json', answer, 'ERR_MANIFEST_SYNTAX')
      assert.ok(host.headers.every((headers) => headers['accept-encoding'] === 'identity'))
    })

    test(`case 51: 50 MB as ${encoding} are no artifact, whether the length of the bytes is right or not`, async (t) => {
      const exact = Buffer.alloc(artifactOf(NEXT).length)
      bytes.copy(exact)
      for (const [body, code] of [
        [bytes.subarray(0, 40), 'ERR_BYTES_SIZE'],
        [exact, 'ERR_BYTES_HASH'],
      ] as const) {
        const answer: Answer = (_, response) => {
          response.writeHead(200, { 'content-encoding': encoding }).end(body)
        }
        await refusesOnce(t, '1.0.1.bin', answer, code)
      }
    })
  }

  test('case 51: what is compressed on purpose is taken, although its host has a name for that', async (t) => {
    const host = await startHost(t)
    publish(host, { ...NEXT, br: true })
    const bytes = brotliCompressSync(artifactOf(NEXT))
    host.answer('1.0.1.br', (_, response) => void response.writeHead(200, { 'content-encoding': 'br' }).end(bytes))
    const { poll, home } = await makeMachine(t, host)
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(whatRuns(home).answers, '1.0.1')
    assert.deepEqual(host.drain(), ['version.json', '1.0.1.br'])
  })
})

describe('a network that fails', { timeout: 240_000, concurrency: 4 }, () => {
  test('case 51: a name that nobody knows is no answer, and the next poll may know it', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { poll, home, settings } = await makeMachine(t, host)
    const before = whatRuns(home)
    const { url } = settings
    Object.assign(settings, { url: new URL('http://nobody-knows-this.invalid/version.json') })
    const error = await failureOf(() => poll())
    assert.equal(error.code, 'ERR_NETWORK_UNREACHABLE')
    assert.match(error.message, /ENOTFOUND|EAI_AGAIN/)
    assert.deepEqual(whatRuns(home), before)
    Object.assign(settings, { url })
    assert.equal((await poll()).kind, 'swapped')
  })

  for (const path of ['version.json', '1.0.1.bin'] as const) {
    test(`case 51: a connection that is reset at each tenth of ${path} costs a poll, and nothing else`, async (t) => {
      const host = await startHost(t)
      publish(host, NEXT)
      const sound = host.answers.get(path)
      const bytes = path === 'version.json' ? MANIFEST : artifactOf(NEXT)
      const { poll, home } = await makeMachine(t, host)
      const before = whatRuns(home)
      for (let tenth = 0; tenth < 10; tenth += 1) {
        host.answer(path, (_, response) => {
          response.writeHead(200, { 'content-length': bytes.length, etag: '"one"' })
          response.flushHeaders()
          const part = bytes.subarray(0, Math.floor((bytes.length * tenth) / 10))
          response.write(part, () => setTimeout(() => response.socket?.resetAndDestroy(), 20))
          if (part.length === 0) setTimeout(() => response.socket?.resetAndDestroy(), 20)
        })
        const error = await failureOf(() => poll())
        assert.equal(error.code, 'ERR_NETWORK_UNREACHABLE', `${tenth}: ${error.stack}`)
        assert.deepEqual(whatRuns(home), before)
        assertTidy(home)
      }
      if (sound !== undefined) host.answer(path, sound)
      assert.equal((await poll()).kind, 'swapped')
      assert.equal(whatRuns(home).answers, '1.0.1')
    })
  }
})

describe('a copy of the manifest', { timeout: 240_000, concurrency: 4 }, () => {
  test('case 52: that is damaged is fetched anew, also when its ETag and the state still fit', async (t) => {
    const host = await startHost(t)
    publish(host, { ...NEXT, version: '1.0.0' })
    const { poll, home } = await makeMachine(t, host)
    await poll()
    const sound = fs.readFileSync(home.manifest)
    const damages: [name: string, damage: () => void][] = [
      ['cut off', () => fs.truncateSync(home.manifest, 100)],
      [
        'one bit',
        () =>
          fs.writeFileSync(
            home.manifest,
            sound.map((byte, at) => (at === 50 ? byte ^ 1 : byte)),
          ),
      ],
      ['of zeros', () => fs.writeFileSync(home.manifest, Buffer.alloc(sound.length))],
      ['a directory', () => (fs.rmSync(home.manifest), fs.mkdirSync(home.manifest))],
    ]
    for (const [name, damage] of damages) {
      damage()
      host.headers.splice(0)
      // A directory cannot be replaced by a file; every other damage is healed by this poll.
      if (name === 'a directory') assert.equal((await failureOf(() => poll())).code, 'ERR_STAGE_IO')
      else assert.equal((await poll()).kind, 'checked')
      assert.equal(host.headers[0]?.['if-none-match'], undefined, name)
      if (name === 'a directory') fs.rmdirSync(home.manifest)
      await poll()
      assert.deepEqual(fs.readFileSync(home.manifest), sound, name)
    }
    host.headers.splice(0)
    await poll()
    assert.notEqual(host.headers[0]?.['if-none-match'], undefined)
  })

  test('case 52: is not made of a 304 to a question without an ETag', async (t) => {
    await refusesOnce(t, 'version.json', (_, response) => void response.writeHead(304).end(), 'ERR_NETWORK_STATUS')
  })

  for (const type of ['text/html', 'application/octet-stream', 'image/png', 'x'.repeat(2000), '']) {
    test(`case 52: and an artifact are taken whatever their type is called: ${type.slice(0, 30)}`, async (t) => {
      const host = await startHost(t)
      for (const [path, bytes] of [
        ['version.json', MANIFEST],
        ['1.0.1.bin', artifactOf(NEXT)],
      ] as const) {
        host.answer(path, (_, response) => void response.writeHead(200, { 'content-type': type }).end(bytes))
      }
      const { poll, home } = await makeMachine(t, host)
      assert.equal((await poll()).kind, 'swapped')
      assert.equal(whatRuns(home).answers, '1.0.1')
    })
  }
})
