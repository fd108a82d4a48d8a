// Each fixture of test/fixtures/logs is one log of the same six requests, escaped as that server does it, and two lines
// that are none. They were made from the published descriptions, and not by code of ours.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { detectReader } from '../../fleet/formats/detect.ts'
import { decodeRequest, LogLine, type LogRequest } from '../../fleet/formats/log-line.ts'
import { unescapeBackslash, unescapePercent } from '../../fleet/formats/unescape.ts'
import { LineSplitter } from '../../fleet/scan/split-lines.ts'

const FIXTURES = [
  ['cloudfront.log', 'cloudfront'],
  ['cloudfront-once.log', 'cloudfront'],
  ['cloudfront.json', 'cloudfront-json'],
  ['s3.log', 's3'],
  ['nginx.log', 'combined'],
  ['apache.log', 'combined'],
  ['caddy.json', 'caddy'],
] as const

const START_MS = Date.UTC(2026, 10, 20, 10)
const CONFIRMED =
  'heartbeat-agent/1.4.2 (linux-amd64; stable; id=0f1e2d3c4b5a6978; st=confirmed; ev=17/updated/1.4.2/340) moult/0.1.0'
const FAILED =
  'heartbeat-agent/1.4.1+b.7 (linux-arm64; beta; id=1111222233334444; st=failed; er=NETWORK_TIMEOUT) moult/0.1.0'
const SWITCHED_OFF = 'heartbeat-agent/none (darwin-arm64; stable) moult/0.1.0'
/** Everything that some log escapes. Two bytes of UTF-8 are two characters. */
const ODD = 'Mo/5 ("q" \\ 100% \xc3\xa9 +x %20\tz)'

const REQUESTS: readonly LogRequest[] = [
  requestOf(0, 304, 311, '/a/version.json', CONFIRMED, '192.0.2.1'),
  requestOf(1, 200, 3870, '/a/beta/version.json', FAILED, '2001:db8::2'),
  requestOf(2, 304, 311, '/a/version.json', SWITCHED_OFF, '192.0.2.3'),
  requestOf(3, 200, 4811, '/', ODD, '192.0.2.4'),
  requestOf(4, 206, 18_500_000, '/a/bin/1.4.2/heartbeat-agent-linux-amd64', CONFIRMED, '192.0.2.1'),
  requestOf(5, 404, 0, '/a/version.json', '', '192.0.2.5'),
]

for (const [file, format] of FIXTURES) {
  test(`${file} is read to the byte, and told by its content`, () => {
    const { formats, requests, malformed } = readLog(readFileSync(new URL(`../fixtures/logs/${file}`, import.meta.url)))
    assert.deepEqual(requests, REQUESTS)
    assert.equal(malformed, 2)
    assert.deepEqual(formats, new Set([format]))
  })
}

test('a log without a heading has the fields that CloudFront always had', () => {
  const text = readFileSync(new URL('../fixtures/logs/cloudfront.log', import.meta.url), 'utf8')
  const { requests } = readLog(Buffer.from(text.replace(/^#.*\n/gm, '')))
  assert.deepEqual(requests, REQUESTS)
})

test('a heading without a field that is needed makes its lines malformed, and the next one mends it', () => {
  const log = [
    '#Fields: date time cs-method sc-status',
    '2026-11-20\t10:00:00\tGET\t200',
    '#Fields: date time cs-method cs-uri-stem cs(User-Agent)',
    '2026-11-20\t10:00:00\tGET\t/a\tx',
  ].join('\n')
  const { requests, malformed } = readLog(Buffer.from(log))
  assert.deepEqual([requests.length, malformed], [1, 1])
})

test('fields may be separated by spaces', () => {
  const log = '#Fields: date time cs-method cs-uri-stem cs(User-Agent)\n2026-11-20 10:00:00 GET /a x%2520y'
  assert.deepEqual(
    readLog(Buffer.from(log)).requests.map(({ userAgent }) => userAgent),
    ['x y'],
  )
})

test('percent escapes are undone once or twice, as they were made', () => {
  for (const text of ['a b', '100% of "it"', 'a%20b c', '%', 'plain', 'é x', '%2520 %25']) {
    const bytes = Buffer.from(text).toString('latin1')
    const once = bytes.replace(/[^A-Za-z0-9/()+]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
    assert.equal(unescapePercent(once.replaceAll('%', '%25')), bytes, `twice: ${text}`)
    if (text.includes(' ')) assert.equal(unescapePercent(once), bytes, `once: ${text}`)
  }
})

test('a backslash that escapes nothing stays', () => {
  assert.equal(unescapeBackslash(String.raw`\x4 \q \\x41 \x41 \\`), String.raw`\x4 \q \x41 A ` + '\\')
})

test('a request that is no request has no method and no path', () => {
  for (const request of [String.raw`\x16\x03\x01`, '-', '', 'GET', 'GET  HTTP/1.1']) {
    const line = `192.0.2.1 - - [20/Nov/2026:10:00:00 +0000] "${request}" 400 150 "-" "-"`
    const [found] = readLog(Buffer.from(line)).requests
    assert.deepEqual([found?.method, found?.path, found?.status, found?.userAgent], ['', '', 400, ''], request)
  }
})

test('no user name, referer or path can pass for another field', () => {
  const fake = '] "GET /version.json HTTP/1.1" 200 1 "-" "evil/1"'
  const time = '20/Nov/2026:10:00:00 +0000'
  for (const line of [
    `192.0.2.1 - a[${time}${fake.replaceAll('"', String.raw`\x22`)} [${time}] "GET /x HTTP/1.1" 200 5 "-" "good/1"`,
    `192.0.2.1 - - [${time}] "GET /x${fake.replaceAll('"', String.raw`\"`)} HTTP/1.1" 200 5 "-" "good/1"`,
    `192.0.2.1 - - [${time}] "GET /x HTTP/1.1" 200 5 "${fake.replaceAll('"', String.raw`\"`)}" "good/1"`,
    `owner bucket [${time}] 192.0.2.1 - 3E57 REST.GET.OBJECT x "GET /x HTTP/1.1" 200 - 5 5 1 1 "${fake}" "good/1" - - - - - - - -`,
  ]) {
    const [found] = readLog(Buffer.from(line)).requests
    assert.deepEqual([found?.userAgent, found?.status, found?.sentBytes], ['good/1', 200, 5], line)
    assert.match(found?.path ?? '', /^\/x/)
  }
})

function readLog(log: Buffer) {
  const line = new LogLine()
  const requests: LogRequest[] = []
  const formats = new Set<string>()
  let malformed = 0
  let reader: ReturnType<typeof detectReader>
  const splitter = new LineSplitter({
    onLine(bytes, start, end) {
      reader ??= detectReader(bytes, start, end)
      const verdict = reader?.read(bytes, start, end, line) ?? 'malformed'
      if (reader !== undefined) formats.add(reader.format)
      if (verdict === 'malformed') malformed++
      if (reader !== undefined && verdict === 'request') requests.push(decodeRequest(line, reader))
    },
    onLongLine: () => assert.fail('no line is that long'),
  })
  splitter.write(log)
  splitter.end()
  return { requests, malformed, formats }
}

function requestOf(
  second: number,
  status: number,
  sentBytes: number,
  path: string,
  userAgent: string,
  remote: string,
): LogRequest {
  return { timeMs: START_MS + second * 1000, method: 'GET', path, status, sentBytes, userAgent, remote }
}
