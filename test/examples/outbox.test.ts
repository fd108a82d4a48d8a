import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'

import { openOutbox } from '../../examples/heartbeat-agent/outbox.ts'
import { randomFrom } from '../fuzz/random.ts'
import { Collector } from '../fixtures/collector.ts'

const SEED = Number(process.env['MOULT_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const LIVES = 25

function makePath(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'moult-outbox-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'outbox.jsonl')
}

interface Taken {
  readonly key: string
  readonly body: string
}

/** A server that notes what it is sent, and answers as told. */
async function startServer(t: TestContext, answer: (response: ServerResponse, count: number) => void) {
  const taken: Taken[] = []
  const server = createServer((request: IncomingMessage, response) => {
    void text(request).then((body) => {
      taken.push({ key: String(request.headers['idempotency-key']), body })
      answer(response, taken.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { taken, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

describe('the outbox of the heartbeat agent', { timeout: 120_000 }, () => {
  test('sends in order, each under a key of its own, and keeps nothing that was acknowledged', async (t) => {
    const { taken, url } = await startServer(t, (response) => response.writeHead(204).end())
    const path = makePath(t)
    const outbox = openOutbox(path, url)
    assert.deepEqual([outbox.append({ at: 'a' }), outbox.append({ at: 'b' })], [1, 2])
    await Promise.all([outbox.flush(), outbox.flush()])
    assert.deepEqual(
      taken.map(({ body }) => body),
      ['{"number":1,"at":"a"}', '{"number":2,"at":"b"}'],
    )
    const { id } = JSON.parse(fs.readFileSync(`${path}.sent`, 'utf8')) as { id: string }
    assert.deepEqual(
      taken.map(({ key }) => key),
      [`${id}-1`, `${id}-2`],
    )
    assert.equal(fs.readFileSync(path, 'utf8'), '')
    outbox.close()
    // An empty file: the numbers go on all the same.
    const next = openOutbox(path, url)
    assert.equal(next.append({ at: 'c' }), 3)
    next.close()
  })

  test('keeps what was not acknowledged, over a restart, and sends it under the same key', async (t) => {
    const { taken, url } = await startServer(t, (response, count) => {
      if (count === 2) response.destroy()
      else response.writeHead(count === 3 ? 503 : 204).end()
    })
    const path = makePath(t)
    const outbox = openOutbox(path, url)
    for (const at of ['a', 'b', 'c']) outbox.append({ at })
    await outbox.flush()
    await outbox.flush()
    assert.equal(taken.length, 3)
    outbox.close()
    fs.appendFileSync(path, '{"number":4,"at":"cut o')
    const again = openOutbox(path, url)
    assert.equal(again.append({ at: 'd' }), 4)
    await again.flush()
    const numbers = taken.map(({ key }) => key.split('-').at(-1))
    assert.deepEqual(numbers, ['1', '2', '2', '2', '3', '4'])
    assert.equal(taken[1]?.key, taken[3]?.key)
    assert.equal(fs.readFileSync(path, 'utf8'), '')
    again.close()
  })

  test('without a server keeps everything, and sends nothing', async (t) => {
    const path = makePath(t)
    const outbox = openOutbox(path)
    for (let number = 1; number <= 3; number += 1) assert.equal(outbox.append({}), number)
    await outbox.flush()
    outbox.close()
    outbox.close()
    assert.equal(fs.readFileSync(path, 'utf8').split('\n').length, 4)
  })

  test('begun anew it uses no key of the one that was lost', async (t) => {
    const { taken, url } = await startServer(t, (response) => response.writeHead(204).end())
    const path = makePath(t)
    for (let life = 0; life < 2; life += 1) {
      const outbox = openOutbox(path, url)
      outbox.append({})
      await outbox.flush()
      outbox.close()
      for (const file of [path, `${path}.sent`]) fs.rmSync(file)
    }
    assert.equal(new Set(taken.map(({ key }) => key)).size, 2)
  })

  test(`killed ${LIVES} times at any point it loses nothing, and doubles nothing by key (seed ${SEED})`, async (t) => {
    const random = randomFrom(SEED)
    const collector = new Collector(random)
    const url = await collector.listen()
    t.after(() => collector.close())
    const path = makePath(t)
    const script = `
      import { openOutbox } from ${JSON.stringify(import.meta.resolve('../../examples/heartbeat-agent/outbox.ts'))}
      const outbox = openOutbox(${JSON.stringify(path)}, ${JSON.stringify(url)})
      console.log('open')
      setInterval(() => { console.log(outbox.append({})); void outbox.flush() }, 2)`
    let announced = 0
    for (let life = 0; life < LIVES; life += 1) {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(child, 'close')
      let rest = ''
      child.stdout.setEncoding('utf8').on('data', (said: string) => {
        const lines = (rest + said).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) announced = Math.max(announced, Number(line) || 0)
      })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, random() * 150))
      child.kill('SIGKILL')
      await ended
    }
    const last = openOutbox(path, url)
    // The server fails often, but not always.
    for (let attempt = 0; fs.readFileSync(path, 'utf8') !== ''; attempt += 1) {
      assert.ok(attempt < 10_000, 'what waits goes out in the end')
      await last.flush()
    }
    const count = last.next - 1
    last.close()
    assert.ok(count >= announced && announced > 0, `${announced} announced, ${count} written`)
    const { id } = JSON.parse(fs.readFileSync(`${path}.sent`, 'utf8')) as { id: string }
    assert.deepEqual(
      collector.numbersOf(id),
      Array.from({ length: count }, (_, index) => index + 1),
    )
    assert.deepEqual(collector.faults, [])
    t.diagnostic(`${count} entries, ${collector.repeats} came again on the wire`)
  })
})
