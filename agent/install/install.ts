// Lays out a home: pinned root, settings, launcher, and the first version, from the update server or from a file.

import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'

import { MoultError, type Root } from '../../manifests/index.ts'
import { readSmallFile, replaceFile } from '../durable-file.ts'
import { withFileErrors } from '../file-error.ts'
import { type Home, homeAt, prepareHome } from '../home.ts'
import { repairRecord } from '../launch.ts'
import { installedRecord } from '../launch-record.ts'
import { withLock } from '../lock.ts'
import {
  loadSettings,
  pinnedRootPath,
  readConfigFile,
  readPinnedRoot,
  readSettingsFields,
  resolveSettings,
} from '../settings.ts'
import { checkSettings, type SettingsFile } from '../settings-file.ts'
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
  const home = homeAt(resolve(options.home))
  const { owner } = options
  const settingsFile = mergedSettings(home, options.settings)
  const pinned = pinnedRootPath(home, settingsFile)
  // All of it is checked before anything is written: what was written would be merged into every later call.
  const { root } = resolveSettings(home, settingsFile, () => rootToPin(options.root, pinned))
  const layOut = async (): Promise<InstallResult> => {
    if (options.root !== undefined) pinRoot(pinned, readFileSync(options.root))
    replaceFile(home.config, `${JSON.stringify(settingsFile, undefined, 2)}\n`)
    replaceFile(home.launch, readFileSync(LAUNCHER), 0o755)
    chmodSync(home.launch, 0o755)
    if (repairRecord(home, (message) => deps.emit({ kind: 'warning', message })) === undefined) {
      // A record whose version is gone, with nothing to fall back to, would pass for an installed one.
      for (const record of [home.current, home.confirmed]) rmSync(record, { force: true })
      if (options.program !== undefined) {
        await adoptProgram(home, root.name, options.program.version, options.program.path)
      } else {
        await installFromServer(home.path, options, deps)
      }
    }
    const version = installedRecord(home)?.version ?? ''
    return { home: home.path, name: root.name, version, launcher: home.launch }
  }
  if (owner === undefined) {
    prepareHome(home)
    return withLock(home, layOut)
  }
  withFileErrors(home.path, () => mkdirSync(home.path, { recursive: true, mode: 0o755 }))
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

function pinRoot(path: string, bytes: Buffer): void {
  const pinned = readSmallFile(path)
  if (pinned === undefined) return replaceFile(path, bytes, 0o644)
  if (pinned.equals(bytes)) return
  throw new MoultError('ERR_USAGE_EXISTS', `another root document is pinned: ${path}`, {
    hint: 'Remove it by hand if the agent is really meant to trust another project.',
  })
}

async function installFromServer(home: string, options: InstallOptions, deps: UpdateDeps): Promise<void> {
  const result = await update(loadSettings(home, options.env), { apply: true }, deps)
  if (result.kind === 'swapped') return
  const { decision } = result
  const reason = 'reason' in decision ? decision.reason : decision.kind
  throw new MoultError('ERR_POLICY_REFUSED', `nothing to install: ${reason}`, { details: { decision } })
}
