// The package `send` does the HTTP: conditions, ranges, HEAD, types. It would look at the path twice more, once for the
// size and once for the bytes, and either look may find a newer file than the ETag was made of. So the two methods in
// which it looks are replaced: size and bytes come from the one opened file.

import type { Stats } from 'node:fs'
import send from 'send'
import type { Exchange } from './exchange.ts'

export interface Sendable {
  /** The last part of the path; only its extension matters. */
  readonly name: string
  /** `undefined` leaves the type to the extension. */
  readonly contentType: string | undefined
  readonly cacheControl: string
  readonly etag: string
  readonly size: number
  /** The bytes from `start` to `end`, both included. */
  read(start: number, end: number): AsyncIterable<Buffer>
}

interface ByteRange {
  readonly start: number
  readonly end: number
}

export async function sendContent(exchange: Exchange, content: Sendable): Promise<void> {
  const { request, response } = exchange
  // Node's fetch adds `Cache-Control: no-cache` to each request that has an If-None-Match, and `send` takes that for a
  // forced reload: an agent that polls with fetch would never see a 304. Other servers ignore the header; so do we.
  delete request.headers['cache-control']
  // No dates are sent (equal seconds say nothing about equal content), and RFC 9110 13.1.4 has a server without a date
  // ignore this one; `send` would answer 412.
  delete request.headers['if-unmodified-since']

  response.setHeader('ETag', content.etag)
  response.setHeader('Cache-Control', content.cacheControl)
  response.setHeader('X-Content-Type-Options', 'nosniff')
  if (content.contentType !== undefined) response.setHeader('Content-Type', content.contentType)

  const outcome: { range?: ByteRange; failure?: { status: number } } = {}
  const sender = send(request, encodeURIComponent(content.name), {
    cacheControl: false,
    lastModified: false,
    index: false,
    dotfiles: 'deny',
  })
  sender.sendFile = () => sender.send(content.name, { size: content.size } as Stats)
  sender.stream = (_path: string, range: ByteRange) => {
    outcome.range = range
  }
  sender.on('error', (failure: { status: number }) => {
    outcome.failure = failure
  })
  // With the file system out of it, all of this happens before pipe() returns.
  sender.pipe(response)

  if (outcome.failure?.status === 416) return exchange.refuse(416, { 'content-range': `bytes */${content.size}` })
  if (outcome.failure !== undefined) return exchange.refuse(outcome.failure.status)
  // Without a range `send` has ended the response itself: HEAD, or 304.
  if (outcome.range !== undefined) await exchange.writeBody(content.read(outcome.range.start, outcome.range.end))
}
