// The life of the server: listen, answer, stop. What happens to one request reads in answer-request.ts.

import { once } from 'node:events'
import { opendir } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { formatAccessLine } from './access-log.ts'
import { answerRequest } from './answer-request.ts'
import { createEtagCache } from './etag.ts'
import { openExchange, type Exchange } from './exchange.ts'
import { assertFaults, type Faults } from './faults.ts'

const DEFAULT_PORT = 8090
const CLOSE_GRACE_MS = 5_000

// A client that sends its header slowly, or stops reading, must not hold a connection and an open file for long.
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const TIMEOUT_CHECK_INTERVAL_MS = 5_000
// Node counts the first wait of a full send queue as progress, so a reader that stalls is cut after twice this.
const SOCKET_IDLE_TIMEOUT_MS = 60_000
// As nginx. Longer than any test may take, so that a close() that waits for it is noticed.
const KEEP_ALIVE_TIMEOUT_MS = 75_000

export interface ServerOptions {
  /** The published folder. It must exist; what is in it may change at any time. */
  dir: string
  /** Default 127.0.0.1: only this machine. */
  host?: string
  /** Default 8090; 0 takes any free port. */
  port?: number
  /** Gets one line in the combined log format after each request has ended. */
  log?: (line: string) => void
  faults?: Faults
}

export interface RunningServer {
  /** Without a slash at its end. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** Running responses may end for `graceMs` (default 5000) and are cut then. Calling it again changes nothing. */
  close(graceMs?: number): Promise<void>
}

/** Rejects with the plain error of node: ENOENT or ENOTDIR for `dir`, EADDRINUSE, EACCES and so on for the address. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { dir, host = '127.0.0.1', port = DEFAULT_PORT, log = () => {}, faults = {} } = options
  assertFaults(faults)
  await (await opendir(dir)).close()

  const site = { dir, etags: createEtagCache(), faults }
  const running = new Set<Promise<void>>()
  let closing: Promise<void> | undefined

  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  })
  server.setTimeout(SOCKET_IDLE_TIMEOUT_MS)
  const sockets = trackSockets(server)

  server.on('request', (request, response) => {
    if (closing !== undefined) response.shouldKeepAlive = false
    const exchange = openExchange(request, response)
    const run = answerRequest(site, exchange)
      .then(() => exchange.ended)
      .then(() => logExchange(exchange, log))
      .finally(() => {
        running.delete(run)
        // A response that began before close() promised keep-alive, and its connection is idle only now.
        if (closing !== undefined) setImmediate(() => server.closeIdleConnections())
      })
    running.add(run)
  })

  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  const boundPort = typeof address === 'object' && address !== null ? address.port : port

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    host,
    port: boundPort,
    close: (graceMs = CLOSE_GRACE_MS) => (closing ??= stop(server, sockets, running, graceMs)),
  }
}

async function stop(server: Server, sockets: Set<Socket>, running: Set<Promise<void>>, graceMs: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // Node counts a connection that never sent a byte as active (browsers open such in advance): it would use up the grace.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()

  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(cut)
  await Promise.all(running)
}

function trackSockets(server: Server): Set<Socket> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // Each pipelined request listens on its one socket; eleven of them are no leak to warn of.
    socket.setMaxListeners(0)
  })
  return sockets
}

function logExchange(exchange: Exchange, log: (line: string) => void): void {
  log(
    formatAccessLine({
      remoteAddress: exchange.remoteAddress,
      time: new Date(),
      requestLine: exchange.requestLine,
      status: exchange.status(),
      bytesSent: exchange.bytesSent(),
      referer: exchange.request.headers.referer,
      userAgent: exchange.request.headers['user-agent'],
    }),
  )
}
