// Processes that run beside a measurement: servers, agents.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Bench } from './figure.ts'

const WAIT_MS = 120_000
const PORT_MIN = 20_000
const PORT_MAX = 30_000
const TRY_MS = 20
const SAID_CHARACTERS_MAX = 4000

/** A process that leads a group of its own. */
export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  /** What it said last on stderr. */
  readonly said: () => string
}

export interface StartOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a process that leads a group of its own, and ends the group with the figure. */
export function startProcess(
  bench: Bench,
  command: string,
  args: readonly string[],
  { cwd, env = {} }: StartOptions = {},
): Running {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} did not start`)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_CHARACTERS_MAX)
  })
  const running = { child, pid, said: () => said }
  bench.defer(() => endProcess(running))
  return running
}

/** Ends the whole group. @returns when it has ended */
export async function endProcess({ child, pid }: Running): Promise<void> {
  const closed = child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    return // All of the group had ended.
  }
  child.stdout?.resume()
  await closed
}

/** The first line on stdout that matches; later lines are dropped. @throws Error when it ends before that */
export async function firstLine({ child, said }: Running, pattern: RegExp): Promise<RegExpExecArray> {
  if (child.stdout === null) throw new Error('no stdout')
  for await (const line of createInterface({ input: child.stdout })) {
    const match = pattern.exec(line)
    if (match === null) continue
    child.stdout.resume()
    return match
  }
  throw new Error(`ended without a line like ${pattern}: ${said()}`)
}

/** Tries until `attempt` gives something. @throws Error after two minutes */
export async function until<T>(what: string, attempt: () => Promise<T | undefined>, tryMs = TRY_MS): Promise<T> {
  const deadline = performance.now() + WAIT_MS
  for (;;) {
    const found = await attempt()
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error(`waited ${WAIT_MS / 1000} s in vain for ${what}`)
    await sleep(tryMs)
  }
}

/** A port that nobody has just now, of those that no outgoing connection is given: one given by the system may be taken again. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_MIN, PORT_MAX)
    const server = createServer().listen(port, '127.0.0.1')
    // `once` rejects at an error.
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
