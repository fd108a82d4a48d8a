// One updater at a time works on a home. The lock is a directory that holds one empty file, the token, whose name says
// who has it: `free`, or a process by pid, start time, boot and pid namespace, so that a lock left by a crash is told
// from a live one even after the pid was given to another process.
//
// A process in another pid namespace, as in a second container on the same volume, cannot be looked up by its pid.
// Therefore whoever holds the lock touches the token every HEARTBEAT_MS, however long the work takes, and a token from
// elsewhere counts as held until it was not touched for FOREIGN_MS.
//
// Taking, breaking and releasing the lock are each one rename of the token. A rename of a name that is gone fails, so of
// any number of processes that saw the same token one succeeds. A lock file that is created and removed cannot do that:
// between a look at a stale lock and its removal it may have become someone's live lock.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { MoultError } from '../../manifests/index.ts'
import type { Disk } from './disk.ts'
import { discard, isErrno, toFileError } from './file-error.ts'
import type { Home } from './home.ts'

const FREE = 'free'
const START_UNKNOWN = 'unknown'
const ROUNDS_MAX = 100
const HEARTBEAT_MS = 15_000
/** Longer than any pause of an event loop that still does its work. */
const FOREIGN_MS = 120_000

/**
 * Runs `work` while holding the lock of a home.
 * @throws MoultError ERR_LOCK_HELD when another live process holds it, or ERR_STAGE_* when it cannot be taken
 */
export async function withLock<T>(home: Home, work: () => Promise<T>): Promise<T> {
  const { disk, lock } = home
  const mine = await acquire(disk, lock)
  const heartbeat = setInterval(() => beat(disk, join(lock, mine)), HEARTBEAT_MS)
  heartbeat.unref()
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    release(disk, lock, mine)
  }
}

function beat(disk: Disk, token: string): void {
  try {
    disk.touch(token, Date.now())
  } catch {
    // Whoever broke the lock has it now; the work says what came of that.
  }
}

async function acquire(disk: Disk, lock: string): Promise<string> {
  const space = ownNamespace()
  const mine = `${process.pid}-${startOf(process.pid) ?? START_UNKNOWN}${space === undefined ? '' : `@${space}`}`
  try {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const token = tokenIn(lock)
      if (token === undefined) await layOut(disk, lock, mine)
      else if (isAlive(lock, token)) throw heldBy(token, lock)
      else if (passToken(disk, lock, token, mine)) return mine
    }
  } catch (error) {
    throw toFileError(error, lock)
  }
  throw new MoultError('ERR_LOCK_HELD', `contended: ${lock}`)
}

/** A lock that cannot be released stays; the work that it guarded is done all the same. */
function release(disk: Disk, lock: string, mine: string): void {
  try {
    passToken(disk, lock, mine, FREE)
  } catch {
    // The next one to take it says what is wrong.
  }
}

function tokenIn(lock: string): string | undefined {
  try {
    const tokens = readdirSync(lock)
    return tokens.find((token) => isAlive(lock, token)) ?? tokens[0]
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function passToken(disk: Disk, lock: string, from: string, to: string): boolean {
  try {
    // First, as a rename leaves the time alone: nobody may see the new name with a time that is long past.
    disk.touch(join(lock, from), Date.now())
    disk.rename(join(lock, from), join(lock, to))
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

/** Makes the lock, once: a directory that holds a token already cannot be replaced by the rename. */
async function layOut(disk: Disk, lock: string, mine: string): Promise<void> {
  const fresh = `${lock}.${mine}`
  try {
    // A home that is gone MUST NOT come back by its lock.
    statSync(dirname(lock))
    await disk.removeTree(fresh)
    disk.makeDirectory(fresh, 0o700)
    disk.writeFile(join(fresh, FREE), Buffer.alloc(0), 0o600)
    disk.rename(fresh, lock)
  } catch (error) {
    await discard(disk, fresh)
    // Windows answers EPERM.
    const isThere = isErrno(error, 'ENOTEMPTY', 'EEXIST') || (isErrno(error, 'EPERM') && existsSync(lock))
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
function isAlive(lock: string, token: string): boolean {
  const [, pid = '', start = '', space] = /^([1-9][0-9]{0,9})-(.+?)(?:@([0-9]+))?$/.exec(token) ?? []
  if (pid === '') return false
  if (space !== undefined && space !== ownNamespace()) return isFresh(join(lock, token))
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false
  }
  const now = startOf(Number(pid))
  // Where a start time cannot be known the pid may be another process's by now; only whoever holds the lock touches it.
  if (now === undefined || start === START_UNKNOWN) return isFresh(join(lock, token))
  return now === start
}

/** The pid namespace of this process; undefined where there are none, or they cannot be known. */
function ownNamespace(): string | undefined {
  try {
    return /^pid:\[([0-9]+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1]
  } catch {
    return undefined
  }
}

function isFresh(path: string): boolean {
  const touchedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  // Either way: a clock that was set back must not make a dead token last.
  return touchedMs !== undefined && Math.abs(Date.now() - touchedMs) < FOREIGN_MS
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
