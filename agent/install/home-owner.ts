// A home that root lays out for the user that the agent runs as.

import { execFile } from 'node:child_process'
import { chownSync, existsSync, realpathSync } from 'node:fs'
import { promisify } from 'node:util'

import { MoultError } from '../../manifests/index.ts'
import { toFileError } from '../home/file-error.ts'
import type { Home } from '../home/home.ts'

const run = promisify(execFile)

export interface HomeOwner {
  readonly uid: number
  readonly gid: number
}

/**
 * Who a home is to be given to; undefined when that is the user of this process, or users have no numbers here.
 * @throws MoultError ERR_USAGE_INVALID
 */
export async function homeOwner(user: string): Promise<HomeOwner | undefined> {
  const own = process.geteuid?.()
  if (own === undefined) return undefined
  const uid = await idOf('-u', user)
  if (uid === own) return undefined
  if (own !== 0) {
    throw new MoultError('ERR_USAGE_INVALID', `only root can give a home to another user: ${user}`, {
      hint: `Run this as root, e.g. with sudo, or as the user ${user}.`,
    })
  }
  return { uid, gid: await idOf('-g', user) }
}

async function idOf(kind: '-u' | '-g', user: string): Promise<number> {
  const { stdout } = await run('id', [kind, '--', user]).catch((cause: unknown) => {
    throw new MoultError('ERR_USAGE_INVALID', `no such user: ${user}`, {
      hint: 'Make the user first, or name another with --user.',
      cause,
    })
  })
  return Number(stdout)
}

/** Works on a home as its owner for a while: the caller is root and holds the lock. */
export async function withHomeOf<T>(home: Home, owner: HomeOwner, work: () => Promise<T>): Promise<T> {
  // The directories above all: while they are root's, no other user can put a link where root is going to write.
  for (const path of [home.path, home.versions, home.staging]) if (existsSync(path)) chownSync(path, 0, 0)
  try {
    return await work()
  } finally {
    await give(home, owner)
  }
}

async function give(home: Home, { uid, gid }: HomeOwner): Promise<void> {
  try {
    // The command, as it follows no link that is put in its way; walking the tree by paths would.
    await run('chown', ['-R', '-h', '-P', `${uid}:${gid}`, realpathSync(home.path)])
  } catch (error) {
    throw toFileError(error, home.path)
  }
}
