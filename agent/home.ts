// The directory that the updater owns on an agent's machine (SPEC 5). Nothing outside it is ever changed.
//
//   current              the launch record: what runs, what to go back to, the tries of a trial
//   confirmed            the last launch record that proved itself, for when `current` is damaged
//   versions/<version>/  the program or tree of a version, with its receipt
//   launch               the shell script that a supervisor starts
//   agent.json root.json configuration, and the pinned root document
//   state.json           what the updater believes: newest root, sequence floor, quarantine (and state.json.bak)
//   manifest.json        the last manifest that verified, for conditional polls
//   status.json          how the last check ended, for people
//   staging/             downloads and half-made versions; emptied at every start
//   lock                 held while an updater works

import { lstatSync, mkdirSync, type Stats, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { MoultError } from '../manifests/index.ts'
import { withFileErrors } from './file-error.ts'

export interface Home {
  readonly path: string
  readonly current: string
  readonly confirmed: string
  readonly versions: string
  readonly launch: string
  readonly config: string
  readonly root: string
  readonly state: string
  readonly stateBackup: string
  readonly manifest: string
  readonly status: string
  readonly staging: string
  readonly lock: string
}

export function homeAt(path: string): Home {
  return {
    path,
    current: join(path, 'current'),
    confirmed: join(path, 'confirmed'),
    versions: join(path, 'versions'),
    launch: join(path, 'launch'),
    config: join(path, 'agent.json'),
    root: join(path, 'root.json'),
    state: join(path, 'state.json'),
    stateBackup: join(path, 'state.json.bak'),
    manifest: join(path, 'manifest.json'),
    status: join(path, 'status.json'),
    staging: join(path, 'staging'),
    lock: join(path, 'lock'),
  }
}

/** @param version checked by the caller to be a version, so it cannot leave the directory */
export function versionDirectory(home: Home, version: string): string {
  return join(home.versions, version)
}

/**
 * Makes the directories of home, or checks that they are fit for use: directories of this user that nobody else can
 * write to, all on one file system, since a rename is what installs a version. Home itself may belong to root, and may
 * be reached through a link; who can write to it could replace the launcher and the launch record.
 *
 * @throws MoultError ERR_HOME_INVALID or ERR_STAGE_*
 */
export function prepareHome(home: Home): void {
  withFileErrors(home.path, () => {
    mkdirSync(home.path, { recursive: true, mode: 0o755 })
    assertPrivate(home.path, statSync(home.path), [process.getuid?.(), 0])
    for (const [path, mode] of [
      [home.versions, 0o755],
      [home.staging, 0o700],
    ] as const) {
      mkdirSync(path, { recursive: true, mode })
      assertPrivate(path, lstatSync(path), [process.getuid?.()])
    }
    const devices = [home.path, home.versions, home.staging].map((path) => lstatSync(path).dev)
    if (new Set(devices).size > 1) {
      throw new MoultError('ERR_HOME_INVALID', `spread over several file systems: ${home.path}`, {
        hint: 'versions and staging must lie on the same file system as the home directory.',
      })
    }
  })
}

/** @param owners who may own it; a system without users knows none of this */
function assertPrivate(path: string, stat: Stats, owners: readonly (number | undefined)[]): void {
  if (!stat.isDirectory()) throw new MoultError('ERR_HOME_INVALID', `not a directory: ${path}`)
  if (process.getuid !== undefined && (!owners.includes(stat.uid) || (stat.mode & 0o022) !== 0)) {
    throw new MoultError('ERR_HOME_INVALID', `writable for others or owned by another user: ${path}`, {
      hint: `Run the agent as the owner of the home directory, and remove write permission for others: chmod go-w ${path}`,
    })
  }
}

/** Bytes that this user can still write on the file system of home. */
export function freeBytes(home: Home): number {
  return withFileErrors(home.path, () => {
    const { bavail, bsize } = statfsSync(home.path)
    return bavail * bsize
  })
}
