// What the logs tell of one release, beside the agents that still run an older one. More trouble with the release MUST
// never make a figure here look better: the comparison leaves out whatever the release itself has done to older agents.

import { formatBeacon, parseBeacon } from '../../manifests/beacon.ts'
import { compareVersions, isVersion } from '../../manifests/versions.ts'
import type { FleetFigures, ReleaseFigures } from '../fleet-figures.ts'

export interface Evidence {
  /** Active agents that run the release, and are past their probation. */
  readonly running: number
  readonly onTrial: number
  readonly rolledBack: number
  readonly failed: number
  readonly silent: number
  readonly erring: number
  readonly hashMismatches: number
  /** Of older versions; without those that came back to one. */
  readonly older: { readonly active: number; readonly silent: number; readonly erring: number }
  /** Whether `older` are enough to compare with. */
  readonly isCompared: boolean
  /** Of `silent` and `erring`, those beyond what is usual among older ones; 0 where there is nothing to compare with. */
  readonly excess: { readonly silent: number; readonly erring: number }
  /** Agents of which is known how it went: all but those on trial. */
  readonly reported: number
  /** Of those that run it, all but the excess of erring ones. */
  readonly well: number
  /** Agents that the logs have seen lately, or that went silent on the release: what its share is counted from. */
  readonly fleet: number
  /** Agents that count against the release, and of how many. */
  readonly troubled: number
  readonly judged: number
  /** The same if everything silent or erring counted. */
  readonly doubtful: number
}

export function evidenceOf(figures: FleetFigures, version: string, minAgents: number): Evidence | undefined {
  const told = toldVersion(version)
  const release = figures.releases.find((one) => one.version === told)
  if (release === undefined) return undefined
  const { rolledBack, failed, silent, erring, onTrial, hashMismatches } = release
  const running = Math.max(0, release.agents - onTrial)
  const failures = rolledBack + failed
  const older = olderOf(figures.releases, told, release)
  // Where most are silent, being silent is no measure: those are machines that nobody uses any more.
  const isCompared = older.active >= minAgents && older.silent <= older.active
  const excess = isCompared
    ? {
        silent: beyondUsual(silent, release.agents + silent, older.silent, older.active + older.silent),
        erring: beyondUsual(erring, release.agents, older.erring, older.active),
      }
    : { silent: 0, erring: 0 }
  const troubled = failures + excess.silent + excess.erring
  return {
    running,
    onTrial,
    rolledBack,
    failed,
    silent,
    erring,
    hashMismatches: Math.max(hashMismatches, figures.errors.find(({ code }) => code === 'BYTES_HASH')?.agents ?? 0),
    older,
    isCompared,
    excess,
    reported: running + silent + failures,
    well: Math.max(0, running - excess.erring),
    fleet: figures.agents.active + silent,
    troubled,
    judged: Math.max(troubled, running + failures + excess.silent),
    doubtful: failures + (isCompared ? excess.silent + excess.erring : silent + erring),
  }
}

/**
 * Whether agents have room to say the whole version and what became of it. Where they have not, an older version that
 * begins alike passes for the release, or a rollback is never heard of.
 */
export function isTellable(name: string, channel: string, version: string): boolean {
  const event = { n: 9_999_999_999, kind: 'rolled-back', version, detail: 'as-long-as-usual' } as const
  const beacon = { name, version, platform: 'windows-amd64', channel, id: '0'.repeat(16), updater: '0.1.0' }
  const read = parseBeacon(formatBeacon({ ...beacon, events: [event] }))
  return read?.version === version && read.events.some((told) => told.version === version)
}

/** As logs name it: a beacon has no room for the end of a long one. */
function toldVersion(version: string): string {
  const beacon = { name: 'a', version, platform: 'linux-amd64', channel: 'stable', events: [], updater: '0.1.0' }
  return parseBeacon(formatBeacon(beacon))?.version ?? version
}

/** `none` is no version, and agents that run a newer one were never meant. */
function olderOf(releases: readonly ReleaseFigures[], version: string, own: ReleaseFigures): Evidence['older'] {
  const older = releases.filter((one) => isOlder(one.version, version))
  const sum = (of: (one: ReleaseFigures) => number): number => older.reduce((total, one) => total + of(one), 0)
  return {
    active: Math.max(0, sum(({ agents }) => agents) - own.rolledBack),
    silent: sum(({ silent }) => silent),
    erring: Math.max(0, sum(({ erring }) => erring) - own.rolledBack - own.failed),
  }
}

function isOlder(version: string, than: string): boolean {
  return isVersion(version) && isVersion(than) && compareVersions(version, than) < 0
}

function beyondUsual(count: number, among: number, usualCount: number, usualAmong: number): number {
  if (usualAmong <= 0) return count
  return Math.max(0, count - Math.floor((among * usualCount) / usualAmong))
}
