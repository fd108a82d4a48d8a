// node load-server.mjs <url> <seconds> <connections> [<name>: <value>]: asks for one URL on kept connections, each again as soon as
// it has its answer, and counts the answers. Plain sockets: a whole HTTP client costs more than the servers it would measure.

import { connect, type Socket } from 'node:net'

const [url = '', seconds = '1', connections = '1', ...headers] = process.argv.slice(2)
const { hostname, port, pathname, host } = new URL(url)
const lines = [`GET ${pathname} HTTP/1.1`, `Host: ${host}`, 'Accept-Encoding: identity', ...headers]
const request = `${lines.join('\r\n')}\r\n\r\n`
const END_OF_HEAD = Buffer.from('\r\n\r\n')

let answers = 0
let bytes = 0
const statuses = new Set<string>()
const startedAt = performance.now()
const endAt = startedAt + Number(seconds) * 1000
await Promise.all(Array.from({ length: Number(connections) }, ask))
console.log(JSON.stringify({ answers, bytes, ms: performance.now() - startedAt, statuses: [...statuses] }))

/** One connection, until the time is over. */
async function ask(): Promise<void> {
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => (performance.now() < endAt ? reject(new Error('closed by the server')) : resolve()))
    readAnswers(socket)
    socket.write(request)
  })
}

function readAnswers(socket: Socket): void {
  let head: Buffer = Buffer.alloc(0)
  /** Of the body; undefined while the head is not whole. */
  let left: number | undefined
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk
    if (left === undefined) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      const end = head.indexOf(END_OF_HEAD)
      if (end < 0) return
      const text = head.subarray(0, end).toString('latin1')
      const status = text.slice(9, 12)
      statuses.add(status)
      left = status === '304' ? 0 : Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? Number.NaN)
      if (Number.isNaN(left)) throw new Error(`an answer without a length: ${text}`)
      rest = head.subarray(end + END_OF_HEAD.length)
      head = Buffer.alloc(0)
    }
    left -= rest.length
    bytes += rest.length
    if (left > 0) return
    left = undefined
    answers += 1
    if (performance.now() < endAt) socket.write(request)
    else socket.destroy()
  })
}
