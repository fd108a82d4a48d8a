import assert from 'node:assert/strict'
import test from 'node:test'
import { formatAccessLine } from '../../local-server/access-log.ts'
import { sendRaw, startSite, waitFor } from './site.ts'

const entry = {
  remoteAddress: '192.0.2.7',
  time: new Date('2026-11-02T03:04:05.678Z'),
  requestLine: 'GET /version.json HTTP/1.1',
  status: 200,
  bytesSent: 1234,
  referer: undefined,
  userAgent: 'heartbeat/1.4.2 (linux-amd64; id=ab12)',
}

test('a line has the combined format', () => {
  assert.equal(
    formatAccessLine(entry),
    '192.0.2.7 - - [02/Nov/2026:03:04:05 +0000] "GET /version.json HTTP/1.1" 200 1234 "-" "heartbeat/1.4.2 (linux-amd64; id=ab12)"',
  )
})

test('quotes, backslashes, control characters and bytes beyond ASCII are escaped as nginx does', () => {
  const line = formatAccessLine({ ...entry, userAgent: 'a"b\\c\n\u007f\u00c3' })
  assert.ok(line.endsWith(' "a\\x22b\\x5Cc\\x0A\\x7F\\xC3"'), line)
})

test('an unknown peer is a dash, and an IPv4 peer of an IPv6 socket has its own form', () => {
  assert.match(formatAccessLine({ ...entry, remoteAddress: undefined }), /^- - - \[/)
  assert.match(formatAccessLine({ ...entry, remoteAddress: '::ffff:192.0.2.7' }), /^192\.0\.2\.7 - - \[/)
})

test('the server writes one line a request, with the target as it came', async (t) => {
  const { server, write, lines } = await startSite(t)
  await write('version.json', '{"a":1}')
  const headers = 'Host: x\r\nReferer: http://r/\r\nUser-Agent: evil" 200 1 "\xe9\r\nConnection: close\r\n\r\n'
  await sendRaw(server, `GET /version.json?q=%22 HTTP/1.1\r\n${headers}`)
  await sendRaw(server, `GET /none HTTP/1.1\r\n${headers}`)
  await waitFor(() => lines.length === 2)
  const time = String.raw`\[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\]`
  const tail = String.raw`"http:\/\/r\/" "evil\\x22 200 1 \\x22\\xE9"$`
  assert.match(lines[0] ?? '', new RegExp(`^127.0.0.1 - - ${time} "GET /version.json\\?q=%22 HTTP/1.1" 200 7 ${tail}`))
  assert.match(lines[1] ?? '', new RegExp(`^127.0.0.1 - - ${time} "GET /none HTTP/1.1" 404 14 ${tail}`))
})
