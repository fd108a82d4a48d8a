// The launch record says what runs next. Swap, trial and rollback are each one atomic replacement of this one file, so
// there is no state between them. The launcher reads and writes it in plain shell: one `key=value` a line, and a last
// line `end` without which the record counts as damaged.

import type { Disk } from './disk.ts'
import { replaceFile, readIfPossible } from './durable-file.ts'
import type { Home } from './home.ts'
import { isVersion } from '../../manifests/index.ts'

/** How often a version on trial is started before it is given up. */
export const TRIES_DEFAULT = 3

export interface LaunchRecord {
  readonly version: string
  /** What a failed trial goes back to. */
  readonly previous?: string
  /** Present during probation only. */
  readonly trial?: { readonly started: number; readonly tries: number }
  /** The version that was given up and why; the updater moves it to the quarantine and clears it. */
  readonly failed?: { readonly version: string; readonly reason: string }
}

/** The record, or undefined when it is absent or damaged. */
export function readLaunchRecord(path: string): LaunchRecord | undefined {
  const fields = parseFields(readIfPossible(path)?.toString('utf8') ?? '')
  const version = fields?.get('version')
  if (fields === undefined || version === undefined || !isVersion(version)) return undefined
  const [previous, failed, trial] = [fields.get('previous'), fields.get('failed'), fields.get('trial')]
  return {
    version,
    ...(previous !== undefined && previous !== version && isVersion(previous) ? { previous } : {}),
    ...(trial === undefined
      ? {}
      : { trial: { started: count(trial, 0), tries: count(fields.get('tries'), TRIES_DEFAULT) } }),
    ...(failed !== undefined && isVersion(failed)
      ? { failed: { version: failed, reason: singleLine(fields.get('reason') ?? 'unknown') } }
      : {}),
  }
}

function parseFields(text: string): Map<string, string> | undefined {
  const lines = text.split('\n')
  if (lines.pop() !== '' || lines.pop() !== 'end' || lines.includes('end')) return undefined
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

function count(text: string | undefined, fallback: number): number {
  return text !== undefined && /^(?:0|[1-9][0-9]{0,3})$/.test(text) ? Number(text) : fallback
}

/** @throws MoultError ERR_STAGE_*; the old record then still stands */
export function writeLaunchRecord(disk: Disk, path: string, record: LaunchRecord): void {
  replaceFile(disk, path, formatLaunchRecord(record), 0o644)
}

export function formatLaunchRecord({ version, previous, trial, failed }: LaunchRecord): string {
  const lines = [`version=${version}`]
  if (previous !== undefined) lines.push(`previous=${previous}`)
  if (trial !== undefined) lines.push(`trial=${trial.started}`, `tries=${trial.tries}`)
  if (failed !== undefined) lines.push(`failed=${failed.version}`, `reason=${singleLine(failed.reason)}`)
  return `${lines.join('\n')}\nend\n`
}

/** A reason ends up in the state file, which takes no control characters, and MUST NOT add a line to this one. */
function singleLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 128)
}

/** What runs now by the record; the confirmed one stands in for a damaged one. */
export function installedRecord(home: Home): LaunchRecord | undefined {
  return readLaunchRecord(home.current) ?? readLaunchRecord(home.confirmed)
}

/** What the launcher has found before it started this process: it has no other voice than its own log. */
export function launcherWarnings(env: Readonly<Record<string, string | undefined>>): string[] {
  const damaged = (env['MOULT_DAMAGED'] ?? '').split(',').filter(isVersion)
  return damaged.map((version) => `version ${version} is damaged: its files are not those that were installed`)
}
