// The shell launcher as a supervisor runs it: a real process on a real home directory, under each shell that is here. The
// versions in that home are small shell scripts that print what they were given; no Node is on their PATH.

import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

export const LAUNCHER = join(import.meta.dirname, '../../agent/launcher/launch.sh')
const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin'
const scratch = fs.mkdtempSync(join(tmpdir(), 'moult-launcher-'))
after(() => fs.rmSync(scratch, { recursive: true, force: true }))

/** The absolute path of a program, or undefined when it is not installed. */
export function locate(program: string): string | undefined {
  const options = { env: { PATH: SYSTEM_PATH }, encoding: 'utf8' } as const
  const { status, stdout } = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program], options)
  return status === 0 ? stdout.trim() : undefined
}

export function folderOf(name: string): string {
  return fs.mkdtempSync(join(scratch, `${name}-`))
}

/** A PATH with these programs alone: those of busybox, as in a small container image, or of the system. */
export function pathOf(tools: readonly string[], busybox?: string): string {
  const folder = folderOf('path')
  for (const tool of tools)
    fs.symlinkSync(busybox ?? locate(tool) ?? assert.fail(`no ${tool} here`), join(folder, tool))
  return folder
}

export interface Shell {
  readonly name: string
  readonly command: readonly string[]
  readonly path: string
  /** Where busybox is, if its tools are on the path. */
  readonly busybox?: string
  readonly skip: string | false
}

/** What the launcher says that it needs. */
export const TOOLS = ['cat', 'chmod', 'mv', 'rm', 'sleep', 'sync']
export const IMAGE_TOOLS = ['cp', 'mkdir']

export const SHELLS: readonly Shell[] = ['dash', 'busybox sh', 'bash --posix'].map((name) => {
  const [program = '', ...rest] = name.split(' ')
  const located = locate(program)
  const command = [located ?? program, ...rest]
  if (located === undefined) return { name, command, path: '', skip: `${program} is not installed here` }
  if (program !== 'busybox') return { name, command, path: SYSTEM_PATH, skip: false }
  const path = pathOf([...TOOLS, ...IMAGE_TOOLS, 'sha256sum', 'sh', 'grep'], located)
  return { name, command, path, busybox: located, skip: false }
})

/** Prints every fact a test asks for; `BODY` is where a test puts what the version then does. */
const REPORT = `#!/bin/sh
echo "ran=\${0#*/versions/}"
echo "pid=$$"
echo "cwd=$PWD"
echo "home=$MOULT_HOME"
echo "version=$MOULT_VERSION"
echo "launcher=$MOULT_LAUNCHER"
echo "trial=\${MOULT_TRIAL-unset}"
echo "damaged=\${MOULT_DAMAGED-unset}"
echo "leak=\${entry-unset}"
for argument in "$@"; do echo "argument=$argument"; done
if [ -f "$MOULT_HOME/current" ]; then
  while IFS= read -r line; do echo "saw=$line"; done <"$MOULT_HOME/current"
fi
`

export function installVersion(home: string, version: string, body = '', entry = 'bin/agent'): string {
  const folder = join(home, 'versions', version)
  const program = join(folder, entry)
  fs.mkdirSync(join(program, '..'), { recursive: true })
  fs.writeFileSync(program, `${REPORT}${body}\n`, { mode: 0o755 })
  const receipt = `version=${version}\nsha256=00\nsize=1\nentry=${entry}\nkind=archive\n`
  fs.writeFileSync(join(folder, '.receipt'), receipt)
  return program
}

/** The same with a list of hashes, as the updater installs it. @param lines of the receipt, besides the usual ones */
export function installWhole(home: string, version: string, { body = '', lines = '' } = {}): string {
  const program = installVersion(home, version, body)
  const folder = join(home, 'versions', version)
  fs.mkdirSync(join(folder, 'lib'), { recursive: true })
  fs.writeFileSync(join(folder, 'lib/-data+@x.1'), `data of ${version}`)
  const files = [relative(folder, program), 'lib/-data+@x.1']
  const list = files.map((file) => `${sha256(fs.readFileSync(join(folder, file)))}  ./${file}\n`).join('')
  fs.writeFileSync(join(folder, '.sha256sums'), list)
  const receipt = `version=${version}\nsha256=${sha256(version)}\nsize=1\nsums=${sha256(list)}\nentry=bin/agent\n${lines}`
  fs.writeFileSync(join(folder, '.receipt'), receipt)
  return program
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

export function newHome(name = 'home', versions: readonly string[] = ['1.0.0', '1.0.1']): string {
  const home = join(folderOf('home'), name)
  fs.mkdirSync(home)
  fs.copyFileSync(LAUNCHER, join(home, 'launch'))
  fs.chmodSync(join(home, 'launch'), 0o755)
  for (const version of versions) installVersion(home, version)
  return home
}

export type RecordFields = Readonly<Record<string, string | number>>

export function recordText(fields: RecordFields): string {
  return [...Object.entries(fields).map(([key, value]) => `${key}=${value}`), 'end', ''].join('\n')
}

export function writeRecord(home: string, fields: RecordFields, file = 'current'): void {
  fs.writeFileSync(join(home, file), recordText(fields))
}

/** The record as an object, or undefined when absent; written by the launcher, so it MUST be well-formed. */
export function readRecord(home: string): Record<string, string> | undefined {
  if (!fs.existsSync(join(home, 'current'))) return undefined
  const text = fs.readFileSync(join(home, 'current'), 'utf8')
  assert.match(text, /^([a-z]+=[^\n]*\n)+end\n$/)
  return Object.fromEntries(
    text
      .split('\n')
      .slice(0, -2)
      .map((line) => line.split('=') as [string, string]),
  )
}

export interface Outcome {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly pid: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** The last value of a key the version printed. */
  readonly fact: (key: string) => string | undefined
  readonly facts: (key: string) => string[]
}

export interface LaunchOptions {
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly script?: string
  readonly before?: readonly string[]
  readonly input?: string
  readonly detached?: boolean
  readonly during?: (child: ChildProcess, output: () => string) => Promise<void>
}

export async function launch(shell: Shell, home: string, options: LaunchOptions = {}): Promise<Outcome> {
  const [command = '', ...rest] = [...(options.before ?? []), ...shell.command]
  const child = spawn(command, [...rest, options.script ?? join(home, 'launch'), ...(options.args ?? [])], {
    env: { PATH: shell.path, ...options.env },
    cwd: options.cwd ?? '/',
    detached: options.detached ?? false,
    timeout: 60_000,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => {}) // a version that reads no input may be gone before it is written
  child.stdin.end(options.input ?? '')
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  await options.during?.(child, () => stdout)
  const [status, signal] = await ended
  const facts = (key: string): string[] =>
    stdout
      .split('\n')
      .filter((line) => line.startsWith(`${key}=`))
      .map((line) => line.slice(key.length + 1))
  return { status, signal, pid: child.pid, stdout, stderr, facts, fact: (key) => facts(key).at(-1) }
}

export async function waitFor(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 20_000) throw new Error(`waited in vain: ${what}`)
    await delay(10)
  }
}

export const ranVersion = (outcome: Outcome): string | undefined => outcome.fact('ran')?.split('/')[0]

export async function inParallel<T>(items: readonly T[], check: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await check(item)
  }
  await Promise.all(Array.from({ length: Math.min(16, 2 * availableParallelism()) }, worker))
}

// --- crash points --------------------------------------------------------------------------------------------------

/**
 * A copy of the launcher in which shell functions stand before the tools it calls. Not programs on PATH, as some builds of
 * busybox look there only after their own tools.
 */
export function launcherWith(home: string, functions: string): string {
  const script = join(home, 'launch-test')
  fs.writeFileSync(script, `${functions}\n${fs.readFileSync(LAUNCHER, 'utf8')}`)
  return script
}

/** A function that kills the launcher's whole process group before or after the tool does its work the n-th time. */
export function killAt(home: string, { tool, nth, when }: CrashPoint): string {
  const count = `'${join(home, 'count')}'`
  return `${tool}() {
    echo x >>${count}
    [ "$(grep -c x ${count})" -eq ${nth} ] || { command ${tool} "$@"; return; }
    ${when === 'after' ? `command ${tool} "$@"` : ':'}
    kill -9 0
  }`
}

export interface CrashPoint {
  readonly tool: string
  readonly nth: number
  readonly when: 'before' | 'after'
}
