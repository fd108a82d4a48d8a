// `<home>/available.json`: the update that others may bring, where the updater itself does not: a controller, a sidecar or
// `kubectl exec` reads it and rolls the image. It is there only while this machine may update: a stage that was not
// reached, a closed window or a missing approval holds it back as it would hold back an installation.

import { formatDate } from '../../manifests/index.ts'
import { readIfPossible } from '../home/durable-file.ts'
import type { Home } from '../home/home.ts'
import type { Settings } from '../settings/settings.ts'
import { replaceToldFile } from '../home/told-file.ts'
import type { UpdateDeps, UpdateResult } from '../update.ts'
import { updateRole } from '../settings/update-role.ts'

/** Names are those of the file. */
export interface AvailableUpdate {
  readonly version: string
  /** Of the release, if it names one. */
  readonly container_image?: string
  readonly release_date: string
  /** Why it may be installed: `newer`, `forced`, `rollback` or `first`. */
  readonly reason: string
  /** RFC 3339 date of the check that found it first. */
  readonly since: string
  readonly running?: string
  readonly sequence: number
}

/** Whether updates are left to somebody else on this machine. */
export function isLeftToOthers(settings: Settings): boolean {
  return !settings.autoInstall || updateRole(settings).kind === 'report'
}

/** Writes down what a check found, or that nothing is available any more. Never fails. */
export function noteAvailable(
  settings: Settings,
  result: UpdateResult,
  running: string | undefined,
  { clock, emit }: UpdateDeps,
): void {
  const found = isLeftToOthers(settings) ? availableOf(result, running, clock()) : undefined
  const { home, signalFile } = settings
  for (const path of [home.available, signalFile]) {
    if (path === undefined) continue
    try {
      tell(home, path, found)
    } catch (error) {
      // In the home the check itself says what is wrong; this one is somebody else's place.
      if (path === signalFile) emit({ kind: 'warning', message: `the signal file: ${(error as Error).message}` })
    }
  }
  if (found === undefined) return
  // Only now: whoever hears of it may read the file.
  const { version, reason, container_image: image } = found
  emit({ kind: 'update-available', version, reason, ...(running && { running }), ...(image && { image }) })
}

/** What is available by the last check; undefined when nothing is. */
export function readAvailable(path: string): AvailableUpdate | undefined {
  try {
    const noted: unknown = JSON.parse(readIfPossible(path)?.toString('utf8') ?? 'null')
    return isAvailable(noted) ? noted : undefined
  } catch {
    return undefined
  }
}

function availableOf(result: UpdateResult, running: string | undefined, now: number): AvailableUpdate | undefined {
  if (result.kind !== 'checked' || result.decision.kind !== 'install') return undefined
  const { release } = result.decision
  const { rollout } = result.manifest
  return {
    version: release.version,
    ...(release.container_image === undefined ? {} : { container_image: release.container_image }),
    release_date: release.release_date,
    reason: result.decision.reason,
    since: formatDate(now),
    ...(running === undefined ? {} : { running }),
    sequence: rollout.sequence,
  }
}

/** An unchanged file is not touched: whoever watches it would take that for news. */
function tell(home: Home, path: string, found: AvailableUpdate | undefined): void {
  if (found === undefined) return home.disk.remove(path)
  const before = readAvailable(path)
  const since = before?.version === found.version ? before.since : found.since
  const text = `${JSON.stringify({ ...found, since }, undefined, 2)}\n`
  if (readIfPossible(path)?.toString('utf8') !== text) replaceToldFile(home.disk, path, text, 0o644)
}

function isAvailable(value: unknown): value is AvailableUpdate {
  if (typeof value !== 'object' || value === null) return false
  const { version, release_date: date, reason, since, sequence } = value as Record<string, unknown>
  return [version, date, reason, since].every((text) => typeof text === 'string') && typeof sequence === 'number'
}
