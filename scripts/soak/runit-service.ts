// A service under a real runsv, whose processes are killed without warning.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export class RunitService {
  readonly #directory: string
  #runsv: ChildProcess | undefined

  /** @param script of `run` and `finish`, without their first line */
  constructor(directory: string, run: string, finish: string) {
    this.#directory = directory
    mkdirSync(directory)
    for (const [name, body] of [
      ['run', run],
      ['finish', finish],
    ] as const) {
      writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
    }
  }

  start(log: number): void {
    this.#runsv = spawn('runsv', [this.#directory], { stdio: ['ignore', log, log] })
    this.#runsv.once('error', (error) => {
      throw new Error(`runsv cannot be started (Debian package runit): ${error.message}`)
    })
  }

  /** The service's own process; undefined while runsv waits before it starts it again, and while `finish` runs. */
  get pid(): number | undefined {
    const status = readStatus(join(this.#directory, 'supervise/stat'))
    const pid = Number(readStatus(join(this.#directory, 'supervise/pid')))
    return status === 'run' && pid > 0 ? pid : undefined
  }

  /**
   * Kills without warning.
   * @param choose picks among the processes of the service, the service's own first
   * @returns those that were killed, and the name of the service's own process
   */
  kill(choose: (pids: readonly number[]) => readonly number[]): { killed: readonly number[]; program: string } {
    const { pid } = this
    if (pid === undefined) return { killed: [], program: '' }
    const program = readStatus(`/proc/${pid}/comm`)
    const victims = choose([pid, ...descendantsOf(pid)])
    return { killed: victims.filter((victim) => killed(victim)), program }
  }

  /** Ends the service by SIGTERM, and runsv with it. @returns false when it did not end within `limitMs` */
  async stop(limitMs: number): Promise<boolean> {
    const runsv = this.#runsv
    if (runsv === undefined || runsv.exitCode !== null) return true
    const ended = once(runsv, 'exit')
    const control = openSync(join(this.#directory, 'supervise/control'), constants.O_WRONLY | constants.O_NONBLOCK)
    writeSync(control, 'x')
    closeSync(control)
    const late = new Promise<'late'>((resolve) => void setTimeout(() => resolve('late'), limitMs).unref())
    if ((await Promise.race([ended, late])) !== 'late') return true
    this.end()
    return false
  }

  /** Leaves nothing running. */
  end(): void {
    const { pid } = this
    this.#runsv?.kill('SIGKILL')
    for (const victim of pid === undefined ? [] : [pid, ...descendantsOf(pid)]) killed(victim)
  }
}

function readStatus(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

function descendantsOf(pid: number): number[] {
  const children = readStatus(`/proc/${pid}/task/${pid}/children`)
  return children === '' ? [] : children.split(' ').flatMap((child) => [Number(child), ...descendantsOf(Number(child))])
}

function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
