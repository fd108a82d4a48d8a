// A TCP relay in front of a server that counts the bytes of each connection, both ways.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

export interface ByteMeter {
  readonly url: string
  reset(): void
  /** Since the last reset. */
  read(): { readonly up: number; readonly down: number; readonly requests: number }
  close(): void
}

export async function startMeter(port: number): Promise<ByteMeter> {
  let up = 0
  let down = 0
  let requests = 0
  const relay = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    client.on('data', (chunk) => {
      up += chunk.length
      requests += chunk.toString('latin1').split(/^GET \//m).length - 1
    })
    upstream.on('data', (chunk) => {
      down += chunk.length
    })
    client.on('error', () => upstream.destroy()).pipe(upstream)
    upstream.on('error', () => client.destroy()).pipe(client)
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    reset: () => {
      up = down = requests = 0
    },
    read: () => ({ up, down, requests }),
    close: () => relay.close(),
  }
}
