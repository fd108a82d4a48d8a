// One updater at a time works on a home. The lock names its holder by pid, start time and boot, so that a lock left by a
// crash is told from a live one even after the pid was given to another process.

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'

import { MoultError } from '../manifests/index.ts'
import { readSmallFile } from './durable-file.ts'
import { isErrno, withFileErrors } from './file-error.ts'
import type { Home } from './home.ts'

/**
 * Runs `work` while holding the lock of a home.
 * @throws MoultError ERR_LOCK_HELD when another live process holds it
 */
export async function withLock<T>(home: Home, work: () => Promise<T>): Promise<T> {
  acquire(home)
  try {
    return await work()
  } finally {
    rmSync(home.lock, { force: true })
  }
}

function acquire(home: Home): void {
  const mine = `${process.pid} ${startOf(process.pid) ?? '?'}\n`
  for (let round = 0; round < 3; round += 1) {
    if (tryCreate(home.lock, mine)) return
    const holder = readSmallFile(home.lock)?.toString('utf8')
    if (holder === undefined) continue
    if (isAlive(holder)) {
      const pid = Number.parseInt(holder, 10)
      throw new MoultError('ERR_LOCK_HELD', `another updater is at work: process ${pid}`, {
        details: { pid, lock: home.lock },
        hint: 'Wait for it to finish, or stop that process.',
      })
    }
    removeStale(home.lock, holder)
  }
  throw new MoultError('ERR_LOCK_HELD', `contended: ${home.lock}`)
}

function tryCreate(path: string, content: string): boolean {
  return withFileErrors(path, () => {
    try {
      const file = openSync(path, 'wx', 0o600)
      try {
        writeSync(file, content)
      } finally {
        closeSync(file)
      }
      return true
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return false
      throw error
    }
  })
}

/** Moves the lock aside before it goes: of two processes that find the same stale lock, one does so and one fails. */
function removeStale(path: string, seen: string): void {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    // Someone may have replaced the stale lock by a live one in between: then that one is put back.
    if (readSmallFile(aside)?.toString('utf8') === seen) rmSync(aside, { force: true })
    else renameSync(aside, path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

function isAlive(holder: string): boolean {
  const [pid = '', start = ''] = holder.trim().split(/ (.*)/s)
  if (!/^[1-9][0-9]{0,9}$/.test(pid)) return false
  if (Number(pid) === process.pid && start === startOf(process.pid)) return true
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false
  }
  const now = startOf(Number(pid))
  return now === undefined || start === '?' || now === start
}

/** When a process started, in a form that differs from any other process that ever had its pid; undefined if unknown. */
function startOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The command name, in parentheses, may hold spaces; the start time is the 20th field behind it.
      const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
      return `${ticks} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`
    }
    if (process.platform === 'win32') return undefined
    return execFileSync('ps', ['-p', String(pid), '-o', 'lstart='], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}
