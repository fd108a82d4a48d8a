// `<home>/flags.json`: the flags of this agent, for programs that have no updater inside. Only told: the updater itself
// goes by the manifest, which it verifies each time.

import {
  type AgentFacts,
  type Flags,
  flagsFor,
  type Manifest,
  platformOf,
  type RuleSubject,
  type Verified,
} from '../../manifests/index.ts'
import { withAgentId } from '../poll/agent-id.ts'
import { lastManifest } from '../poll/last-manifest.ts'
import { readIfPossible } from '../home/durable-file.ts'
import type { Home } from '../home/home.ts'
import { replaceToldFile } from '../home/told-file.ts'
import type { Settings } from '../settings/settings.ts'
import type { State } from '../home/state.ts'

/** Names and order are those of the file. */
export interface ToldFlags {
  readonly flags: Flags
  /** Of the rollout that they come from. */
  readonly sequence: number
  /** What runs; absent when nothing is installed. */
  readonly version?: string
}

export function toldFlags(manifest: Verified<Manifest>, subject: RuleSubject): ToldFlags {
  const { running } = subject
  const { sequence } = manifest.rollout
  return { flags: flagsFor(manifest, subject), sequence, ...(running === undefined ? {} : { version: running }) }
}

/**
 * The flags by the last manifest that was accepted, however long ago: they never stop an agent's work, and neither does
 * its expiry. Asks no server.
 *
 * @param running the version that runs
 * @returns undefined before the first manifest, and when what is kept of it does not verify
 */
export function lastFlags(settings: Settings, running: string | undefined): ToldFlags | undefined {
  const last = lastManifest(settings)
  return last === undefined ? undefined : flagsOf(settings, last, running)
}

export function flagsOf(
  settings: Settings,
  { manifest, state }: { manifest: Verified<Manifest>; state: State },
  running: string | undefined,
): ToldFlags | undefined {
  const named = withAgentId(settings.root.name, state)
  // One that nobody has kept yet would give the agent another side at each start.
  if (settings.id === undefined && named.state.fallbackId !== state.fallbackId) return undefined
  const who = { id: settings.id ?? named.id, platform: platformOf(process.platform, process.arch) }
  return toldFlags(manifest, { ...who, running, labels: settings.labels } satisfies Partial<AgentFacts>)
}

/**
 * Writes down what holds; the file goes when nothing is known. Never fails, and leaves what is unchanged alone: whoever
 * watches the file would take that for news.
 *
 * @returns whether the flags are others than the file said
 */
export function writeFlags(home: Home, told: ToldFlags | undefined): boolean {
  const before = readIfPossible(home.flags)?.toString('utf8')
  const after = told === undefined ? undefined : `${JSON.stringify(told, undefined, 2)}\n`
  if (before === after) return false
  try {
    if (after === undefined) home.disk.remove(home.flags)
    else replaceToldFile(home.disk, home.flags, after, 0o644)
  } catch {
    // A full disk or a read-only home: the work itself says so, and the next check writes it.
  }
  return flagsIn(before) !== JSON.stringify(told?.flags ?? {})
}

function flagsIn(text = '{}'): string {
  try {
    return JSON.stringify((JSON.parse(text) as { flags?: unknown } | null)?.flags ?? {})
  } catch {
    return ''
  }
}
