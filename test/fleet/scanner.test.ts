// The scanner recognises most beacons by bytes, without parsing them. It must never see anything else than the parser.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { formatLine } from '../../bench/fleet-logs/format-lines.ts'
import { drawFrom } from '../../bench/fleet-logs/traffic.ts'
import { LOG_FORMATS } from '../../fleet/formats/log-line.ts'
import { BatchWriter } from '../../fleet/scan/batch.ts'
import { Scanner } from '../../fleet/scan/scanner.ts'
import { LINE_MAX_BYTES, LineSplitter } from '../../fleet/scan/split-lines.ts'
import { tailKey } from '../../fleet/scan/tail.ts'
import { idOf, pollOf, START_MS } from './log-folder.ts'

const SEED = Math.floor(Math.random() * 0x1_0000_0000)
const ROUNDS = 4000

test(`what is recognised is what would be parsed (seed ${SEED})`, () => {
  for (const format of LOG_FORMATS) {
    const agents = Array.from({ length: ROUNDS }, (_, n) => makeAgent(n))
    const lines = agents.map((userAgent, n) => {
      const poll = { ...pollOf(START_MS + n * 1000, { id: idOf(n) }), userAgent }
      return `${formatLine(format, poll, n)}\n`
    })
    // A heading would reset nothing: the reader knows the fields of old.
    const log = Buffer.from(lines.join(''), 'latin1')
    const parsed = scan(log, true)
    assert.ok(parsed.rows.length > ROUNDS / 5, `${format}: ${parsed.rows.length} rows`)
    assert.deepEqual(scan(log, false), parsed, format)
  }
})

test('chunks may end anywhere', () => {
  const polls = Array.from({ length: 50 }, (_, n) => formatLine('combined', pollOf(START_MS, { id: idOf(n) }), n))
  const log = Buffer.from(polls.join('\r\n'))
  const whole = scan(log, false)
  assert.equal(whole.rows.length, 50)
  for (const size of [1, 7, 100, 191, 5000]) {
    const rows = new BatchWriter()
    const scanner = new Scanner('x', rows)
    // The chunk is used again afterwards, as that of a stream may be.
    const chunk = Buffer.alloc(size)
    for (let at = 0; at < log.length; at += size) {
      const length = log.copy(chunk, 0, at, at + size)
      scanner.write(chunk.subarray(0, length))
      chunk.fill('x')
    }
    scanner.end()
    assert.equal(rows.take().pollCount, 50, `chunks of ${size}`)
  }
})

test('a line that does not end is given up while it is read', () => {
  let longLines = 0
  const splitter = new LineSplitter({ onLine: () => assert.fail('no line'), onLongLine: () => longLines++ })
  for (let at = 0; at <= LINE_MAX_BYTES * 2; at += 65_536) splitter.write(Buffer.alloc(65_536, 'x'))
  assert.equal(longLines, 1)
  splitter.end()
  assert.equal(longLines, 1)
})

/** Rows as text, so that the order in which things were first seen does not show. */
function scan(log: Buffer, isParsed: boolean) {
  const writer = new BatchWriter()
  const scanner = new Scanner('x', writer, {}, isParsed ? () => undefined : undefined)
  scanner.write(log)
  const counts = scanner.end()
  const { polls, pollCount, events, eventCount, tails, texts } = writer.take()
  const rows = Array.from({ length: pollCount }, (_, row) => {
    const [high = 0, low = 0, second = 0, tail = 0] = polls.subarray(row * 4)
    const found = tails[tail]
    return `${high} ${low} ${second} ${found === undefined ? '' : tailKey(found)}`
  })
  return { rows, events: [...events.subarray(0, eventCount * 8)], texts, counts }
}

/** Beacons, and what someone who wants to deceive makes of them: few kinds, so that most are seen again. */
function makeAgent(n: number): string {
  const draw = (what: number, below: number): number => Math.floor(drawFrom(SEED, n, what) * below)
  const hex = (what: number): string =>
    idOf(draw(what, 4)).replace(/^0{8}/, draw(what + 1, 2) === 0 ? 'abcdef01' : '00000000')
  const id = hex(1)
  const members = [
    [`id=${id}`, `id=${id}`, `id=${id}`, `ID=${id}`, `id=${id.slice(1)}`, `id=${id.toUpperCase()}`, `id=${id}0`][
      draw(3, 7)
    ],
    ['st=confirmed', 'st=waiting', 'st=odd', '', `xid=${hex(4)}`, `id=${hex(6)}`, `er=id=${id}`][draw(8, 7)],
    ['', '', 'er=NETWORK_TIMEOUT', `ev=${draw(9, 3)}/updated/1.4.2/${draw(10, 3)}`, 'ev=1/updated/1.4.2/soon', 'ev=x'][
      draw(11, 6)
    ],
  ].filter((member) => member !== '' && member !== undefined)
  if (draw(12, 3) === 0) members.reverse()
  const product = ['heartbeat-agent/1.4.1', 'heartbeat-agent/1.4.2', `x-id=${id}/1.0.0`, 'h/1.4.1'][draw(13, 4)] ?? ''
  const end = ['moult/0.1.0', 'moult/0.1.0', 'moult/0.1.0 x'][draw(14, 3)] ?? ''
  return `${product} (linux-amd64; stable; ${members.join('; ')}) ${end}`
}
