// A request with its response, and what the log must know of them when they have ended: the status that was sent and
// the body bytes that really left.

import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'

/** What nginx logs when the client left before any answer. */
const STATUS_CLIENT_LEFT = 499

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly remoteAddress: string | undefined
  readonly requestLine: string
  /** Aborted when the connection is gone. */
  readonly gone: AbortSignal
  /** Resolves when the response was handed to the system, or the connection is gone. Never rejects. */
  readonly ended: Promise<void>
  status(): number
  /** Bytes of the body that the system took, without the header: `$body_bytes_sent` of nginx. */
  bytesSent(): number
  /** Writes the chunks as fast as the client reads them, then ends the response; stops when the client is gone. */
  writeBody(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void>
  /** Answers with a status and nothing but its name, which no cache may keep. */
  refuse(status: number, headers?: Record<string, string>): Promise<void>
  /** `refuse`, or a cut connection if the header is out: a short body is the only way left to say that it is bad. */
  abandon(status: number): Promise<void>
}

export function openExchange(request: IncomingMessage, response: ServerResponse): Exchange {
  const gone = new AbortController()
  const ended = new Promise<void>((resolve) => {
    const leave = () => {
      gone.abort()
      resolve()
    }
    // The socket, not the response: of pipelined requests all but the first have a response without a socket, and that
    // one says nothing when the connection dies.
    request.socket.once('close', leave)
    response.once('finish', () => {
      request.socket.off('close', leave)
      resolve()
    })
  })
  // Nothing is written once `gone` is aborted. Should it be, then this event must not end the process.
  response.on('error', () => {})
  let bytesSent = 0

  async function writeBody(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
    for await (const chunk of chunks) {
      if (!(await flush(response, chunk, gone.signal))) return
      bytesSent += chunk.length
    }
    response.end()
  }

  async function refuse(status: number, headers: Record<string, string> = {}): Promise<void> {
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    const body = Buffer.from(`${status} ${STATUS_CODES[status] ?? ''}\n`)
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': body.length,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    })
    await writeBody(request.method === 'HEAD' ? [] : [body])
  }

  async function abandon(status: number): Promise<void> {
    if (!response.headersSent) return refuse(status)
    request.socket.destroy()
  }

  return {
    request,
    response,
    // Kept now: a socket forgets its peer when it closes, and the line is written after that.
    remoteAddress: request.socket.remoteAddress,
    requestLine: `${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}`,
    gone: gone.signal,
    ended,
    status: () => (response.headersSent ? response.statusCode : STATUS_CLIENT_LEFT),
    bytesSent: () => bytesSent,
    writeBody,
    refuse,
    abandon,
  }
}

/** True when the system has taken the chunk; false when the client is gone. */
function flush(response: ServerResponse, chunk: Buffer, gone: AbortSignal): Promise<boolean> {
  if (gone.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const leave = () => resolve(false)
    gone.addEventListener('abort', leave, { once: true })
    response.write(chunk, (error) => {
      gone.removeEventListener('abort', leave)
      resolve(error === null || error === undefined)
    })
  })
}
