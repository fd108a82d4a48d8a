// Where scenarios play: a parent directory on a file system in memory, a home in it, and a host.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type Disk, disk } from '../../agent/home/disk.ts'
import { homeAt, type Home } from '../../agent/home/home.ts'
import type { Settings } from '../../agent/settings/settings.ts'
import type { SettingsFile } from '../../agent/settings/settings-file.ts'
import type { UpdateDeps } from '../../agent/update.ts'
import { NOW, settingsAt } from '../agent/field.ts'
import { type Tree, writeTree } from './tree.ts'

const MEMORY = '/dev/shm'
const HOME = 'home'

/** A temporary directory, in memory where the system has such. */
export function makeStage(): string {
  return mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'moult-crash-'))
}

export function removeStage(root: string): void {
  rmSync(root, { recursive: true, force: true })
}

export function homeIn(root: string, by: Disk = disk): Home {
  return homeAt(join(root, HOME), by)
}

export function settingsIn(
  root: string,
  host: { url: string },
  by?: Disk,
  overrides: Partial<SettingsFile> = {},
): Settings {
  const home = homeIn(root, by)
  return { ...settingsAt(home, host, { preflight: [], keepVersions: 2, ...overrides }), home }
}

/** Later than anything that is made here: what is kept for its age counts from now. */
export const LATER = NOW + 60 * 60_000
export const DEPS: UpdateDeps = { clock: () => LATER, emit: () => undefined }

/** Lays a state out in a fresh directory below `root`, as it is after the machine has started again. */
export function layOut(root: string, name: string, tree: Tree): string {
  const place = join(root, name)
  mkdirSync(place)
  writeTree(place, afterReboot(tree))
  return place
}

/** This process plays the one that died, and is alive: what tells the two apart is the boot that is part of a token. */
function afterReboot(tree: Tree): Tree {
  const token = new RegExp(`\\b${process.pid}-[0-9]+-[0-9a-f-]{36}`, 'g')
  return new Map([...tree].map(([path, entry]) => [path.replaceAll(token, `${process.pid}-1-another-boot`), entry]))
}
