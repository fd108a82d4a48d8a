// An exclusive lock in a folder: the file `.lock`, which appears whole or not at all. The lock of a process that died on
// this machine is taken over; that of another machine is for a person to judge.

import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import type { MoultError } from '../../manifests/index.ts'
import { heldBy, isDead, type LockHolder, parseHolder, thisHolder } from './lock-holder.ts'
import type { Unlock } from './publisher.ts'

export async function lockDirectory(dir: string, now: () => number, purpose?: string): Promise<Unlock> {
  await mkdir(dir, { recursive: true })
  return acquire(join(dir, '.lock'), now, purpose)
}

async function acquire(path: string, now: () => number, purpose?: string): Promise<Unlock> {
  const own = await thisHolder(now, purpose)
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
  if (holder === undefined || !(await isDead(holder))) throw held(holder, path)
  const unguard = await acquire(`${path}-takeover`, now)
  try {
    if ((await readHolder(path))?.nonce !== holder.nonce) throw held(await readHolder(path), path)
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

async function readHolder(path: string): Promise<LockHolder | undefined> {
  return parseHolder(await readFile(path, 'utf8').catch(() => ''))
}

function held(holder: LockHolder | undefined, path: string): MoultError {
  return heldBy(holder, path, `Wait for it. If it is surely gone, remove ${path}.`)
}
