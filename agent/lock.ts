// One updater at a time works on a home. The lock is a directory that holds one empty file, the token, whose name says
// who has it: `free`, or a process by pid, start time and boot, so that a lock left by a crash is told from a live one
// even after the pid was given to another process.
//
// Taking, breaking and releasing the lock are each one rename of the token. A rename of a name that is gone fails, so of
// any number of processes that saw the same token one succeeds. A lock file that is created and removed cannot do that:
// between a look at a stale lock and its removal it may have become someone's live lock.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { MoultError } from '../manifests/index.ts'
import { isErrno, withFileErrors } from './file-error.ts'
import type { Home } from './home.ts'

const FREE = 'free'
const START_UNKNOWN = 'unknown'
const ROUNDS_MAX = 100

/**
 * Runs `work` while holding the lock of a home.
 * @throws MoultError ERR_LOCK_HELD when another live process holds it, or ERR_STAGE_* when it cannot be taken
 */
export async function withLock<T>(home: Home, work: () => Promise<T>): Promise<T> {
  const mine = acquire(home.lock)
  try {
    return await work()
  } finally {
    release(home.lock, mine)
  }
}

function acquire(lock: string): string {
  const mine = `${process.pid}-${startOf(process.pid) ?? START_UNKNOWN}`
  return withFileErrors(lock, () => {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const token = tokenIn(lock)
      if (token === undefined) layOut(lock)
      else if (isAlive(token)) throw heldBy(token, lock)
      else if (passToken(lock, token, mine)) return mine
    }
    throw new MoultError('ERR_LOCK_HELD', `contended: ${lock}`)
  })
}

/** A lock that cannot be released stays; the work that it guarded is done all the same. */
function release(lock: string, mine: string): void {
  try {
    passToken(lock, mine, FREE)
  } catch {
    // The next one to take it says what is wrong.
  }
}

function tokenIn(lock: string): string | undefined {
  try {
    const tokens = readdirSync(lock)
    return tokens.find(isAlive) ?? tokens[0]
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function passToken(lock: string, from: string, to: string): boolean {
  try {
    renameSync(join(lock, from), join(lock, to))
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

/** Makes the lock, once: a directory that holds a token already cannot be replaced by the rename. */
function layOut(lock: string): void {
  const fresh = `${lock}.${process.pid}`
  rmSync(fresh, { recursive: true, force: true })
  try {
    mkdirSync(fresh, { mode: 0o700 })
    writeFileSync(join(fresh, FREE), '')
    renameSync(fresh, lock)
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
    const isThere = isErrno(error, 'ENOTEMPTY', 'EEXIST') || (process.platform === 'win32' && isErrno(error, 'EPERM'))
    if (!isThere) throw error
  }
}

function heldBy(token: string, lock: string): MoultError {
  const pid = Number.parseInt(token, 10)
  return new MoultError('ERR_LOCK_HELD', `another updater is at work: process ${pid}`, {
    details: { pid, lock },
    hint: 'Wait for it to finish, or stop that process.',
  })
}

/** Whether the process that a token names is still there; false for `free` and for rubbish. */
function isAlive(token: string): boolean {
  const [, pid = '', start = ''] = /^([1-9][0-9]{0,9})-(.+)$/.exec(token) ?? []
  if (pid === '') return false
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false
  }
  const now = startOf(Number(pid))
  return now === undefined || start === START_UNKNOWN || now === start
}

/** When a process started, in a form that differs from any other process that ever had its pid; undefined if unknown. */
function startOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The command name, in parentheses, may hold spaces; the start time is the 20th field behind it.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      // A container's first process may never reap what was killed: that holds nothing any more.
      if (fields[0] === 'Z' || fields[0] === 'X') return 'ended'
      return `${fields[19]}-${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`
    }
    if (process.platform === 'win32') return undefined
    const started = execFileSync('ps', ['-p', String(pid), '-o', 'lstart='], { encoding: 'utf8' })
    return started.trim().replace(/[^A-Za-z0-9]+/g, '_') || undefined
  } catch {
    return undefined
  }
}
