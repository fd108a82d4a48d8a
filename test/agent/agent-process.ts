// A Node program with an updater inside, as a process of its own that a test watches.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { makeDir, type Machine, NOW, waitFor } from './field.ts'

export interface AgentProcess {
  readonly child: ChildProcess
  readonly lines: string[]
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** The first line that matches, also one that was printed before. */
  readonly line: (pattern: RegExp) => Promise<RegExpExecArray>
  /** Whether it has printed such a line. */
  readonly has: (pattern: RegExp) => boolean
}

export interface AgentProcessOptions {
  readonly version?: string
  readonly settings?: object
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** Options of the updater, as source. */
  readonly options?: string
  /** Lines of source that run before the updater starts. */
  readonly before?: string
  /** Another Node than that of the test. */
  readonly node?: string
}

/** Prints its events as lines of JSON, and `work` twenty times a second until it ends. */
export function startAgentProcess(t: TestContext, machine: Machine, given: AgentProcessOptions = {}): AgentProcess {
  const { version = '1.0.0', settings = {}, env = {}, args = [], options = '', before = '', node } = given
  const { home, settings: own } = machine
  const all = { server: own.url.href, deployment: 'vm', interval: '1s', probation: '300ms', retries: 0, ...settings }
  const script = join(makeDir(t), 'agent.mjs')
  fs.writeFileSync(
    script,
    `import { Updater } from ${JSON.stringify(import.meta.resolve('../../agent/updater.ts'))}
    ${before}
    const codeOf = (key, value) => (key === 'error' ? value.code ?? String(value) : value)
    const updater = new Updater({
      version: ${JSON.stringify(version)}, home: ${JSON.stringify(home.path)}, settings: ${JSON.stringify(all)},
      firstPollMs: 0, clock: () => ${NOW}, random: () => 0,
      onEvent: (event) => console.log(JSON.stringify(event, codeOf)),
      ${options}
    })
    updater.start()
    setInterval(() => console.log('work'), 50)\n`,
  )
  const loader = import.meta.resolve('tsx')
  const child = spawn(node ?? process.execPath, ['--import', loader, script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], ...env },
  })
  t.after(() => child.kill('SIGKILL'))
  const lines: string[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }))
  const find = (pattern: RegExp) => lines.map((line) => pattern.exec(line)).find((match) => match !== null)
  return {
    child,
    lines,
    ended,
    has: (pattern) => find(pattern) !== undefined,
    line: async (pattern) => {
      await waitFor(() => find(pattern) !== undefined, `a line like ${pattern} among\n${lines.join('\n')}`)
      return find(pattern) as RegExpExecArray
    },
  }
}

/** It goes on with its own work. */
export function works({ lines }: AgentProcess): Promise<void> {
  const before = lines.length
  return waitFor(() => lines.slice(before).filter((line) => line === 'work').length >= 3, 'the agent works')
}
