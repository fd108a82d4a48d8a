// The file-changing system calls of real processes, as strace sees them.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

import type { Operation } from './operations.ts'

/** All by which Linux changes a file or a directory, and umask, which has a say in the mode of new files. */
const TRACED =
  'open,openat,creat,write,pwrite64,writev,pwritev,truncate,ftruncate,fsync,fdatasync,sync,syncfs,' +
  'chmod,fchmod,fchmodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,' +
  'utimensat,copy_file_range,sendfile,fallocate,umask'

export interface SystemCall {
  readonly process: number
  readonly name: string
  /** What stands between its parentheses, as strace prints it with -xx. */
  readonly text: string
  /** Paths among the arguments, those of descriptors too. */
  readonly paths: readonly string[]
  /** Undefined when the process did not live to see it. */
  readonly result: number | undefined
  readonly isInjected: boolean
}

export interface Traced {
  readonly calls: readonly SystemCall[]
  readonly code: number | null
  /** One of the processes, by the fault. */
  readonly wasKilled: boolean
  readonly stdout: string
  readonly stderr: string
}

export interface TraceOptions {
  /** Path of a file for strace's own output. */
  readonly log: string
  readonly env?: Readonly<Record<string, string>>
  /** Faults, as strace takes them: `fsync:error=EIO:when=2`. With a path only calls about that one are counted. */
  readonly inject?: { readonly fault: string; readonly path: string | undefined } | undefined
}

export function hasStrace(): boolean {
  return spawnSync('strace', ['-V']).status === 0
}

/** Runs a command with all its children under strace. */
export async function trace(command: readonly string[], options: TraceOptions): Promise<Traced> {
  const { log, env = {}, inject } = options
  const path = inject?.path === undefined ? [] : ['-P', inject.path]
  const fault = inject === undefined ? [] : [...path, '-e', `inject=${inject.fault}`]
  const args = ['-f', '-y', '-xx', '-s', '10000000', '-e', `trace=${TRACED}`, ...fault, '-o', log, ...command]
  const child = spawn('strace', args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()))
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  const lines = readFileSync(log, 'latin1')
  return { calls: parseTrace(lines), code, wasKilled: lines.includes('+++ killed by SIGKILL +++'), stdout, stderr }
}

export function parseTrace(log: string): SystemCall[] {
  const calls: SystemCall[] = []
  /** Calls that another process came between. */
  const unfinished = new Map<string, { index: number; text: string }>()
  for (const line of log.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    if (begun !== null) {
      unfinished.set(pid, { index: calls.length, text: begun[1] ?? '' })
      calls.push(readCall(pid, `${begun[1]})`))
    } else if (resumed !== null) {
      const { index, text } = unfinished.get(pid) ?? { index: -1, text: '' }
      calls[index] = readCall(pid, text + (resumed[1] ?? ''))
    } else if (/^\w+\(/.test(rest)) {
      calls.push(readCall(pid, rest))
    }
  }
  return calls
}

function readCall(pid: string, line: string): SystemCall {
  const [, name = '', text = '', result] = /^(\w+)\((.*?)\)?(?: += (-?\d+|\?).*)?$/.exec(line) ?? []
  return {
    process: Number(pid),
    name,
    text,
    paths: pathsIn(name, text),
    result: result === undefined || result === '?' ? undefined : Number(result),
    isInjected: line.endsWith('(INJECTED)'),
  }
}

/** Paths stand in quotes, or behind a descriptor; what is written to one may look like a path. */
function pathsIn(name: string, text: string): string[] {
  const pattern = name.includes('write') ? /<((?:\\x[0-9a-f]{2})+)>/g : /["<]((?:\\x[0-9a-f]{2})+)[">]/g
  return [...text.matchAll(pattern)].map(([, hex = '']) => decode(hex).toString())
}

function decode(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex')
}

/** Whether a call changes a file or directory below `root`, or makes a change durable. */
export function isChange(call: SystemCall, root: string): boolean {
  if (call.name === 'umask') return false
  if (call.name.startsWith('open') && !/O_CREAT|O_TRUNC/.test(call.text)) return false
  return call.paths.some((path) => isBelow(path, root))
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`)
}

/**
 * The calls that succeeded below `root` as operations of a file system. What was not made in the same trace is taken for a
 * directory when it is flushed.
 */
export function operationsOf(calls: readonly SystemCall[], root: string): Operation[] {
  const operations: Operation[] = []
  const umasks = new Map<number, number>()
  const sizes = new Map<string, number>()
  for (const call of calls) {
    const { name, text, result } = call
    if (name === 'umask') umasks.set(call.process, Number.parseInt(text, 8))
    if (!isChange(call, root) || result === undefined || result < 0) continue
    const [path = '', to = ''] = call.paths.filter((each) => isBelow(each, root)).map((each) => relative(root, each))
    const mode = Number.parseInt(/\b0\d+/.exec(text)?.[0] ?? '0', 8)
    switch (name) {
      case 'openat':
      case 'open':
        assert.match(text, /O_EXCL/, `a file is opened to be overwritten: ${path}`)
        operations.push({ kind: 'create', path, mode: mode & ~(umasks.get(call.process) ?? process.umask()) })
        sizes.set(path, 0)
        break
      case 'pwrite64':
      case 'write': {
        const [, hex = '', offset] = /, "([^"]*)", \d+(?:, (\d+))?/.exec(text) ?? []
        const at = offset === undefined ? (sizes.get(path) ?? 0) : Number(offset)
        operations.push({ kind: 'write', path, at, bytes: decode(hex).subarray(0, result) })
        sizes.set(path, at + result)
        break
      }
      case 'ftruncate':
        operations.push({ kind: 'truncate', path, size: Number(/\d+$/.exec(text)?.[0]) })
        break
      case 'utimensat':
        operations.push({ kind: 'touch', path })
        break
      case 'fsync':
      case 'fdatasync':
        operations.push({ kind: path === '' || !sizes.has(path) ? 'fsync-directory' : 'fsync', path })
        break
      case 'chmod':
      case 'fchmodat':
        operations.push({ kind: 'chmod', path, mode })
        break
      case 'rename':
      case 'renameat':
      case 'renameat2':
        operations.push({ kind: 'rename', path, to })
        sizes.set(to, sizes.get(path) ?? 0)
        break
      case 'unlink':
      case 'unlinkat':
        operations.push({ kind: text.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink', path })
        break
      case 'rmdir':
        operations.push({ kind: 'rmdir', path })
        break
      case 'mkdir':
      case 'mkdirat':
        operations.push({ kind: 'mkdir', path, mode: mode & ~(umasks.get(call.process) ?? process.umask()) })
        break
      default:
        assert.fail(`a way of changing files that is not known here: ${name}(${text})`)
    }
  }
  return operations
}
