// Lays out a home: pinned root, settings, launcher, and the first version, from the update server or from a file.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { MoultError, type Root } from '../../manifests/index.ts'
import type { Disk } from '../home/disk.ts'
import { readSmallFile, replaceFile } from '../home/durable-file.ts'
import { type Home, homeAt, makeHome, prepareHome } from '../home/home.ts'
import { lastFlags, writeFlags } from '../report/flags-file.ts'
import { withJournal } from '../report/journal.ts'
import { repairRecord } from '../trial/launch.ts'
import { installedRecord } from '../home/launch-record.ts'
import { withLock } from '../home/lock.ts'
import {
  loadSettings,
  pinnedRootPath,
  readConfigFile,
  readPinnedRoot,
  readSettingsFields,
  resolveSettings,
} from '../settings/settings.ts'
import { checkSettings, type SettingsFile } from '../settings/settings-file.ts'
import { update, type UpdateDeps } from '../update.ts'
import { adoptProgram } from './adopt.ts'
import { type HomeOwner, withHomeOf } from './home-owner.ts'

const LAUNCHER = new URL('../launcher/launch.sh', import.meta.url)

export interface InstallOptions {
  readonly home: string
  /** Path of the root document to pin; needed unless one is pinned already. */
  readonly root?: string | undefined
  /** Those that are not named here stay as an earlier installation left them. */
  readonly settings: Partial<SettingsFile>
  /** Whom root gives the home to. */
  readonly owner?: HomeOwner | undefined
  /** Take this program as the first version instead of what the server offers. */
  readonly program?: { readonly path: string; readonly version: string }
  /** Read for `UPDATE_*` names only while the first version is fetched. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** By which the home is changed; the machine's own when absent. */
  readonly disk?: Disk | undefined
}

export interface InstallResult {
  readonly home: string
  readonly name: string
  readonly version: string
  readonly launcher: string
}

/**
 * Safe to repeat: settings that are named and the launcher are renewed, a version that is installed stays, another root
 * is refused.
 *
 * @throws MoultError
 */
export async function installAgent(options: InstallOptions, deps: UpdateDeps): Promise<InstallResult> {
  const home = homeAt(resolve(options.home), options.disk)
  const { owner } = options
  const { disk } = home
  const settingsFile = mergedSettings(home, options.settings)
  const pinned = pinnedRootPath(home, settingsFile)
  // All of it is checked before anything is written: what was written would be merged into every later call.
  const { root } = resolveSettings(home, settingsFile, () => rootToPin(options.root, pinned))
  const layOut = async (): Promise<InstallResult> => {
    if (options.root !== undefined) pinRoot(home, pinned, readFileSync(options.root))
    replaceFile(disk, home.config, `${JSON.stringify(settingsFile, undefined, 2)}\n`)
    replaceFile(disk, home.launch, readFileSync(LAUNCHER), 0o755)
    // Whatever the umask was.
    disk.chmod(home.launch, 0o755)
    if (repairRecord(home, (message) => deps.emit({ kind: 'warning', message })) === undefined) {
      // A record whose version is gone, with nothing to fall back to, would pass for an installed one.
      for (const record of [home.current, home.confirmed]) disk.remove(record)
      if (options.program !== undefined) {
        await adoptProgram(home, root.name, options.program.version, options.program.path)
      } else {
        await installFromServer(home, options, deps)
      }
    }
    const version = installedRecord(home)?.version ?? ''
    return { home: home.path, name: root.name, version, launcher: home.launch }
  }
  if (owner === undefined) {
    prepareHome(home)
    return withLock(home, layOut)
  }
  makeHome(home)
  const prepared = async (): Promise<InstallResult> => {
    prepareHome(home)
    return layOut()
  }
  return withLock(home, () => withHomeOf(home, owner, prepared))
}

function mergedSettings(home: Home, given: Partial<SettingsFile>): SettingsFile {
  const old = readSettingsFields(home)
  const fields: Record<string, unknown> = { ...old, ...given }
  if (old !== undefined && given.health !== undefined)
    fields['health'] = { ...(old['health'] as object), ...given.health }
  if (fields['server'] === undefined) {
    throw new MoultError('ERR_USAGE_INVALID', 'no update server is given', { hint: 'Name it with --server <url>.' })
  }
  return checkSettings(fields, old === undefined ? 'the settings given' : `the settings given and ${home.config}`)
}

function rootToPin(given: string | undefined, pinned: string): Root {
  if (given === undefined && readConfigFile(pinned) === undefined) {
    throw new MoultError('ERR_USAGE_INVALID', 'no root document is given', {
      hint: 'Name it with --root <file>: a copy of trust/1.root.json of the project, from a channel that you trust.',
    })
  }
  return readPinnedRoot(given ?? pinned)
}

function pinRoot(home: Home, path: string, bytes: Buffer): void {
  const pinned = readSmallFile(path)
  if (pinned === undefined) return replaceFile(home.disk, path, bytes, 0o644)
  if (pinned.equals(bytes)) return
  throw new MoultError('ERR_USAGE_EXISTS', `another root document is pinned: ${path}`, {
    hint: 'Remove it by hand if the agent is really meant to trust another project.',
  })
}

async function installFromServer(home: Home, options: InstallOptions, deps: UpdateDeps): Promise<void> {
  const settings = { ...loadSettings(home.path, options.env), home }
  const result = await update(settings, { apply: true }, withJournal(settings, deps).deps)
  if (result.kind === 'swapped') return void writeFlags(home, lastFlags(settings, result.version))
  const { decision } = result
  const reason = 'reason' in decision ? decision.reason : decision.kind
  throw new MoultError('ERR_POLICY_REFUSED', `nothing to install: ${reason}`, { details: { decision } })
}
