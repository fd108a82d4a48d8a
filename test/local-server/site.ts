// A served folder with real files, and requests that reach the server exactly as written.

import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer, type RunningServer, type ServerOptions } from '../../local-server/index.ts'

/** For tests whose failure would be to wait for ever. */
export const BOUNDED = { timeout: 60_000 }

export interface TestSite {
  dir: string
  server: RunningServer
  lines: string[]
  write: (path: string, content: string | Buffer) => Promise<string>
}

export async function makeDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'moult-local-server-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function startSite(t: TestContext, options: Partial<ServerOptions> = {}): Promise<TestSite> {
  const dir = join(await makeDir(t), 'site')
  await mkdir(dir)
  const lines: string[] = []
  const server = await startServer({ dir, port: 0, log: (line) => lines.push(line), ...options })
  t.after(() => server.close(0))
  const write = async (path: string, content: string | Buffer) => {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
    return join(dir, path)
  }
  return { dir, server, lines, write }
}

export async function openSocket(server: RunningServer): Promise<Socket> {
  const socket = connect(server.port, server.host)
  await once(socket, 'connect')
  return socket
}

/** Sends the bytes and collects all that comes back until the server closes. */
export async function sendRaw(server: RunningServer, request: string): Promise<string> {
  const socket = await openSocket(server)
  socket.write(request, 'latin1')
  let answer = ''
  socket.setEncoding('latin1')
  for await (const text of socket) answer += String(text)
  return answer
}

/** The status of a GET whose target is not normalised by any client. */
export async function statusOfTarget(server: RunningServer, target: string): Promise<number> {
  const answer = await sendRaw(server, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  return Number(answer.split(' ')[1])
}

/** Gives up after a minute, so that a failure is a failed test and not a hung one. */
export async function waitFor(condition: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 60_000
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error(`never came true: ${condition.toString()}`)
    await sleep(5)
  }
}

export function bigContent(seed: number, size = 8 * 1024 * 1024): Buffer {
  return Buffer.alloc(size, `${seed} big content `)
}
