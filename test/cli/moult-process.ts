// Runs the built command line as a real process, from any working directory.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

import { MAIN } from '../helpers/moult.ts'

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
}

export function startMoult(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...process.env, MOULT_KEY: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => (text[name] += chunk))
  }
  const ended = once(child, 'close').then((result) => {
    const [code, signal] = result as [number | null, NodeJS.Signals | null]
    return { code, signal, ...text }
  })
  return { child, ended }
}

export function runMoult(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return startMoult(args, cwd, env).ended
}
