// Who holds the lock of a published place, as it stands in the lock itself.

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'

import { formatDate, MoultError } from '../../manifests/index.ts'

export interface LockHolder {
  readonly pid: number
  readonly host: string
  readonly since: string
  /** What it publishes, for a person. */
  readonly purpose?: string | undefined
  /** When the process started, in ticks since boot, where the system tells: process ids are used again. */
  readonly started?: string | undefined
  /** Tells this lock from the next one of the same process. */
  readonly nonce: string
}

export async function thisHolder(now: () => number, purpose: string | undefined): Promise<LockHolder> {
  return {
    pid: process.pid,
    host: hostname(),
    since: formatDate(now()),
    ...(purpose === undefined ? {} : { purpose }),
    started: await startOfProcess(process.pid),
    nonce: randomBytes(8).toString('hex'),
  }
}

/** Undefined for anything that is no lock, such as half a file. */
export function parseHolder(text: string): LockHolder | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? (value as LockHolder) : undefined
  } catch {
    return undefined
  }
}

/** True only for a process that was on this machine and surely is no more. */
export async function isDead({ pid, host, started }: LockHolder): Promise<boolean> {
  if (host !== hostname() || !Number.isInteger(pid)) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  const current = await startOfProcess(pid)
  return started !== undefined && current !== undefined && current !== started
}

/** Field 22 of /proc/<pid>/stat; the name before it may hold spaces and brackets. */
async function startOfProcess(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

export function heldBy(holder: LockHolder | undefined, place: string, hint: string): MoultError {
  const { pid, host, since, purpose } = holder ?? {}
  const who = holder === undefined ? 'another process' : `process ${pid} on ${host} since ${since}`
  const what = purpose === undefined ? 'another release' : `another release, ${purpose},`
  return new MoultError('ERR_PUBLISH_CONFLICT', `${what} is being published by ${who}: ${place}`, {
    hint,
    details:
      holder === undefined
        ? { path: place }
        : { path: place, pid, host, since, ...(purpose === undefined ? {} : { purpose }) },
  })
}
