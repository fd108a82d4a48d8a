// One poll as a line of each log, escaped as the server in question does it.

import { formatAccessLine } from '../../local-server/access-log.ts'
import type { LogFormat } from '../../fleet/formats/log-line.ts'
import type { Poll } from './traffic.ts'

const CLOUDFRONT_FIELDS =
  'date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end'

export const HEADINGS: Readonly<Partial<Record<LogFormat, string>>> = {
  cloudfront: `#Version: 1.0\n#Fields: ${CLOUDFRONT_FIELDS}\n`,
}

/** Without the line end. `n` makes what is different in each request. */
export function formatLine(format: LogFormat, poll: Poll, n: number): string {
  switch (format) {
    case 'cloudfront':
      return cloudFrontLine(poll, n)
    case 'cloudfront-json':
      return cloudFrontJson(poll)
    case 's3':
      return s3Line(poll, n)
    case 'combined':
      return combinedLine(poll)
    case 'caddy':
      return caddyLine(poll)
  }
}

function cloudFrontLine({ timeMs, path, status, bytes, remote, userAgent }: Poll, n: number): string {
  const [date, time] = isoParts(timeMs)
  const result = status === 304 ? 'Hit' : 'RefreshHit'
  const request = `${requestId(n, 54)}==`
  return (
    `${date}\t${time}\tFRA56-P${n % 9}\t${bytes}\t${remote}\tGET\td111111abcdef8.cloudfront.net\t${path}\t${status}\t-\t` +
    `${percentTwice(userAgent)}\t-\t-\t${result}\t${request}\tupdates.example.com\thttps\t${180 + (n % 30)}\t0.00${n % 10}\t-\t` +
    `TLSv1.3\tTLS_AES_128_GCM_SHA256\t${result}\tHTTP/1.1\t-\t-\t${32_768 + ((n * 7919) % 28_000)}\t0.00${n % 10}\t${result}\t-\t-\t-\t-`
  )
}

function cloudFrontJson({ timeMs, path, status, bytes, remote, userAgent }: Poll): string {
  const [date, time] = isoParts(timeMs)
  return JSON.stringify({
    date,
    time,
    'x-edge-location': 'FRA56-P1',
    'sc-bytes': String(bytes),
    'c-ip': remote,
    'cs-method': 'GET',
    'cs(Host)': 'd111111abcdef8.cloudfront.net',
    'cs-uri-stem': path,
    'sc-status': String(status),
    'cs(User-Agent)': percentOnce(userAgent),
  })
}

function s3Line({ timeMs, path, status, bytes, remote, userAgent }: Poll, n: number): string {
  const owner = '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be'
  const key = path.slice(1)
  return (
    `${owner} updates-example [${clfTime(timeMs)}] ${remote} - ${requestId(n, 16)} REST.GET.OBJECT ${key} ` +
    `"GET ${path} HTTP/1.1" ${status} - ${bytes} 3559 12 11 "-" "${userAgent}" - ${requestId(n, 75)}= - ` +
    `TLS_AES_128_GCM_SHA256 - updates-example.s3.eu-central-1.amazonaws.com TLSv1.3 - -`
  )
}

function combinedLine({ timeMs, path, status, bytes, remote, userAgent }: Poll): string {
  return formatAccessLine({
    remoteAddress: remote,
    time: new Date(timeMs),
    requestLine: `GET ${path} HTTP/1.1`,
    status,
    bytesSent: bytes,
    referer: undefined,
    userAgent,
  })
}

function caddyLine({ timeMs, path, status, bytes, remote, userAgent }: Poll): string {
  return JSON.stringify({
    level: 'info',
    ts: timeMs / 1000,
    logger: 'http.log.access.log0',
    msg: 'handled request',
    request: {
      remote_ip: remote,
      remote_port: '41342',
      client_ip: remote,
      proto: 'HTTP/1.1',
      method: 'GET',
      host: 'updates.example.com',
      uri: path,
      // The bytes of the wire as UTF-8, as Go takes them.
      headers: { 'User-Agent': [Buffer.from(userAgent, 'latin1').toString('utf8')] },
    },
    bytes_read: 0,
    user_id: '',
    duration: 0.000_216,
    size: bytes,
    status,
    resp_headers: { Server: ['Caddy'] },
  })
}

/** All but the printable characters that CloudFront leaves. */
export function percentOnce(text: string): string {
  return text.replace(/[^!#$&-;=?-[\]_a-z|~]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  })
}

export function percentTwice(text: string): string {
  return percentOnce(text).replaceAll('%', '%25')
}

function isoParts(timeMs: number): [date: string, time: string] {
  const text = new Date(timeMs).toISOString()
  return [text.slice(0, 10), text.slice(11, 19)]
}

function clfTime(timeMs: number): string {
  return (
    /\[(.*?)\]/.exec(
      formatAccessLine({
        remoteAddress: undefined,
        time: new Date(timeMs),
        requestLine: '',
        status: 0,
        bytesSent: 0,
        referer: undefined,
        userAgent: undefined,
      }),
    )?.[1] ?? ''
  )
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** As random as the real one, so that gzip finds as little in it. */
function requestId(n: number, length: number): string {
  let state = Math.imul(n + 1, 0x9e3779b1) | 1
  let text = ''
  for (let at = 0; at < length; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    text += BASE64[state & 63] ?? ''
  }
  return text
}
