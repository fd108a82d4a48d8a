// What processes cost, as Linux counts it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

const SAMPLE_MS = 25

export interface CommandCost {
  /** User and system time, of the children too. */
  readonly cpuS: number
  readonly wallS: number
  /** The largest sum over all processes at a moment, of what each had at most. */
  readonly peakMb: number
  readonly stdout: string
}

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** `ignore` for what writes megabytes. */
  readonly stdout?: 'pipe' | 'ignore'
  /** How it ends when all is well; default 0. */
  readonly status?: number
}

/** Runs a command to its end. @throws Error with what it said, when it fails */
export async function measureCommand(
  command: string,
  args: readonly string[],
  { cwd, env = {}, stdout: sink = 'pipe', status = 0 }: CommandOptions = {},
): Promise<CommandCost> {
  const startedAt = performance.now()
  // The shell's own account of its children is exact, which no sample is.
  const account = ['-c', '"$@"; status=$?; times >&2; exit $status', 'account', command, ...args]
  const child = spawn('bash', account, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', sink, 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  let peakMb = 0
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, peakOfDescendants(child.pid ?? 0))
  }, SAMPLE_MS)
  const [code] = (await once(child, 'close').finally(() => clearInterval(timer))) as [number]
  const wallS = (performance.now() - startedAt) / 1000
  if (code !== status) {
    throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stdout.slice(-500)}${stderr.slice(-2000)}`)
  }
  const [user = 0, system = 0] = [...(stderr.trim().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  )
  return { cpuS: user + system, wallS, peakMb, stdout }
}

/** Of all descendants of a process, itself aside. */
function peakOfDescendants(root: number): number {
  return treeOf(root).reduce((sum, pid) => (pid === root ? sum : sum + statusMb(pid, 'VmHWM')), 0)
}

/** A process and all its descendants. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), parentOf(Number(name)))
  }
  const isBelow = (pid: number): boolean => {
    let above: number | undefined = pid
    while (above !== undefined && above !== root && above > 1) above = parents.get(above)
    return above === root
  }
  return [...parents.keys()].filter(isBelow)
}

export function cpuMsOfTree(root: number): number {
  return treeOf(root).reduce((sum, pid) => sum + cpuMsOf(pid), 0)
}

/** Processor time of a process that runs, in ms, by the scheduler: the ticks of `stat` are longer than a poll. */
export function cpuMsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const ns = threads.map((thread) => Number(readProc(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]))
  return ns.reduce((sum, one) => sum + one, 0) / 1e6
}

/** Resident now, the most it ever was, and the part of it that is the process's own (not shared, not a file). */
export function memoryOf(pid: number): { rssMb: number; peakMb: number; anonymousMb: number } {
  return { rssMb: statusMb(pid, 'VmRSS'), peakMb: statusMb(pid, 'VmHWM'), anonymousMb: statusMb(pid, 'RssAnon') }
}

function parentOf(pid: number): number {
  const stat = readProc(`/proc/${pid}/stat`)
  // Behind the name, which may hold spaces.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

function statusMb(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readProc(`/proc/${pid}/status`))?.[1] ?? 0) / 1024
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // It has ended.
  }
}
