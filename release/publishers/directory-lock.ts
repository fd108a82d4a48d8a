// An exclusive lock in a folder: the file `.lock`, which appears whole or not at all. The lock of a process that died on
// this machine is taken over; that of another machine is for a person to judge.

import { randomBytes } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'

import { formatDate, MoultError } from '../../manifests/index.ts'
import type { Unlock } from './publisher.ts'

interface Holder {
  readonly pid: number
  readonly host: string
  readonly since: string
  /** When the process started, in ticks since boot, where the system tells: process ids are used again. */
  readonly started?: string | undefined
  /** Tells this lock from the next one of the same process. */
  readonly nonce: string
}

export async function lockDirectory(dir: string, now: () => number): Promise<Unlock> {
  await mkdir(dir, { recursive: true })
  return acquire(join(dir, '.lock'), now)
}

async function acquire(path: string, now: () => number): Promise<Unlock> {
  const own: Holder = {
    pid: process.pid,
    host: hostname(),
    since: formatDate(now()),
    started: await startOfProcess(process.pid),
    nonce: randomBytes(8).toString('hex'),
  }
  const prepared = `${path}.${own.nonce}`
  await writeFile(prepared, `${JSON.stringify(own)}\n`, { flag: 'wx', mode: 0o644 })
  try {
    if (!(await linkNew(prepared, path))) await takeOver(prepared, path, now)
    await removeLeftovers(path)
  } finally {
    await rm(prepared, { force: true })
  }
  return async () => {
    if ((await readHolder(path))?.nonce === own.nonce) await rm(path, { force: true })
  }
}

async function linkNew(prepared: string, path: string): Promise<boolean> {
  try {
    await link(prepared, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/**
 * Two processes may find the same dead lock, and the slower one must not remove the faster one's new lock. So a second
 * lock, of the same kind, guards the look and the replacement.
 */
async function takeOver(prepared: string, path: string, now: () => number): Promise<void> {
  const holder = await readHolder(path)
  if (holder === undefined || !(await isDead(holder))) throw heldBy(holder, path)
  const unguard = await acquire(`${path}-takeover`, now)
  try {
    if ((await readHolder(path))?.nonce !== holder.nonce) throw heldBy(await readHolder(path), path)
    await rename(prepared, path)
  } finally {
    await unguard()
  }
}

/** What was prepared by a process that was killed before it could link it. */
async function removeLeftovers(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue
    const holder = await readHolder(join(dirname(path), name))
    if (holder !== undefined && (await isDead(holder))) await rm(join(dirname(path), name), { force: true })
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

async function isDead({ pid, host, started }: Holder): Promise<boolean> {
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

function heldBy(holder: Holder | undefined, path: string): MoultError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host} since ${holder.since}`
  return new MoultError('ERR_PUBLISH_CONFLICT', `another release is being published by ${who}: ${path}`, {
    hint: `Wait for it. If it is surely gone, remove ${path}.`,
    details: holder === undefined ? { path } : { path, pid: holder.pid, host: holder.host, since: holder.since },
  })
}
