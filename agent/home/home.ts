// The directory that the updater owns on an agent's machine (SPEC 5). Nothing outside it is ever changed.
//
//   current              the launch record: what runs, what to go back to, the tries of a trial
//   confirmed            the last launch record that proved itself, for when `current` is damaged
//   versions/<version>/  the program or tree of a version, with its receipt
//   launch               the shell script that a supervisor starts
//   agent.json root.json configuration, and the pinned root document
//   state.json           what the updater believes: newest root, sequence floor, quarantine (and state.json.bak)
//   manifest.json        the last manifest that verified, for conditional polls
//   release.json         the release that a rollout means for this agent instead of that of the manifest
//   flags.json           the flags of this agent, for programs without an updater inside
//   status.json          how the last check ended, for people
//   available.json       the update that others may bring, where the updater does not
//   history.jsonl        what happened here, a line each, bounded
//   metrics.prom         figures for Prometheus
//   beacon.json          what happened here and was not said to the update host often enough
//   clocks.json          how the clock on the wall and the machine's own time stood to each other, for one-shot checks
//   staging/             downloads and half-made versions; emptied at every start
//   image                in a pod: the last image that the launcher took into account
//   lock                 held while an updater works

import { existsSync, lstatSync, type Stats, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { MoultError } from '../../manifests/index.ts'
import { disk as ownDisk, type Disk } from './disk.ts'
import { withFileErrors } from './file-error.ts'
import { restoreAside } from './windows-disk.ts'

export interface Home {
  readonly path: string
  /** By which everything in it is changed. */
  readonly disk: Disk
  readonly current: string
  readonly confirmed: string
  readonly versions: string
  readonly launch: string
  readonly config: string
  readonly root: string
  readonly state: string
  readonly stateBackup: string
  readonly manifest: string
  readonly release: string
  readonly flags: string
  readonly status: string
  readonly available: string
  readonly history: string
  readonly metrics: string
  readonly beacon: string
  readonly clocks: string
  readonly staging: string
  readonly image: string
  readonly lock: string
}

export function homeAt(path: string, disk: Disk = ownDisk): Home {
  return {
    path,
    disk,
    current: join(path, 'current'),
    confirmed: join(path, 'confirmed'),
    versions: join(path, 'versions'),
    launch: join(path, 'launch'),
    config: join(path, 'agent.json'),
    root: join(path, 'root.json'),
    state: join(path, 'state.json'),
    stateBackup: join(path, 'state.json.bak'),
    manifest: join(path, 'manifest.json'),
    release: join(path, 'release.json'),
    flags: join(path, 'flags.json'),
    status: join(path, 'status.json'),
    available: join(path, 'available.json'),
    history: join(path, 'history.jsonl'),
    metrics: join(path, 'metrics.prom'),
    beacon: join(path, 'beacon.json'),
    clocks: join(path, 'clocks.json'),
    staging: join(path, 'staging'),
    image: join(path, 'image'),
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
  makeHome(home)
  withFileErrors(home.path, () => {
    assertPrivate(home.path, statSync(home.path), [process.getuid?.(), 0])
    for (const [path, mode] of [
      [home.versions, 0o755],
      [home.staging, 0o700],
    ] as const) {
      home.disk.makeDirectory(path, mode)
      assertPrivate(path, lstatSync(path), [process.getuid?.()])
    }
    restoreReplaced(home)
    const devices = [home.path, home.versions, home.staging].map((path) => lstatSync(path).dev)
    if (new Set(devices).size > 1) {
      throw new MoultError('ERR_HOME_INVALID', `spread over several file systems: ${home.path}`, {
        hint: 'versions and staging must lie on the same file system as the home directory.',
      })
    }
  })
}

/**
 * Makes the home directory, and makes its own name durable: a power cut would else take the whole of what was installed
 * in it.
 *
 * @throws MoultError ERR_STAGE_*
 */
export function makeHome({ disk, path }: Home): void {
  withFileErrors(path, () => {
    const fresh: string[] = []
    for (let each = path; !existsSync(each) && dirname(each) !== each; each = dirname(each)) fresh.push(each)
    disk.makeDirectory(path, 0o755)
    for (const each of fresh) disk.syncDirectory(dirname(each))
  })
}

/** Puts back what a crash took the name of: only where a file in use cannot be replaced in one step (windows-disk.ts). */
export function restoreReplaced({
  disk,
  current,
  confirmed,
  launch,
  config,
  root,
  state,
  stateBackup,
  ...home
}: Home): void {
  const { manifest, release, flags, status, history, metrics, beacon } = home
  const told = [manifest, release, flags, status, history, metrics, beacon]
  restoreAside(disk, [current, confirmed, launch, config, root, state, stateBackup, ...told])
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
