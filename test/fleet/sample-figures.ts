// Figures of a fleet that never was: a release on its way, one that failed, agents that are stuck, silent and noisy.

import type { AgentLine, FleetEvent, FleetFigures, ReleaseFigures } from '../../fleet/fleet-figures.ts'

export const HOUR_MS = 3_600_000
export const NOW_MS = Date.UTC(2026, 10, 21, 12)
const DAYS = 7
const FIRST_MS = NOW_MS - DAYS * 24 * HOUR_MS
const NAMES = ['1.4.2', '1.4.1', '1.4.0', '1.3.9', '1.3.0-rc.1', '1.2.7', '1.2.0', '1.1.0']

/** A fleet of a thousand; `changes` replace whole members. */
export function sampleFigures(changes: Partial<FleetFigures> = {}): FleetFigures {
  const distribution = Array.from({ length: DAYS * 24 + 1 }, (_, hour) => ({
    atMs: FIRST_MS + hour * HOUR_MS,
    agents: distributionAt(hour / (DAYS * 24)),
  }))
  const last = distribution.at(-1)?.agents ?? {}
  const active = Object.values(last).reduce((sum, agents) => sum + agents, 0)
  const versions = Object.entries(last)
    .filter(([, agents]) => agents > 0)
    .map(([key, agents]) => ({ key, agents, share: agents / active }))
  return {
    name: 'heartbeat-agent',
    nowMs: NOW_MS,
    firstMs: FIRST_MS,
    lastMs: NOW_MS - 12_000,
    offered: '1.4.2',
    lines: {
      total: 2_031_220,
      polls: 2_014_880,
      others: 16_331,
      malformed: 9,
      damaged: 0,
      refused: 0,
      malformedExamples: ['GET / HTTP', 'x'],
    },
    agents: { total: active + 37, active, silent: 37, stuck: 44 },
    versions,
    platforms: sharesOf({ 'linux-amd64': 0.71, 'linux-arm64': 0.24, 'windows-amd64': 0.05 }, active),
    channels: sharesOf({ stable: 0.95, beta: 0.05 }, active),
    states: { confirmed: active - 120, trial: 31, 'rolled-back': 9, waiting: 62, failed: 18 },
    releases: NAMES.map((version, index) => releaseOf(version, index, distribution)),
    distribution,
    polls: distribution.map(({ atMs }, hour) => ({ atMs, polls: 11_500 + Math.round(600 * Math.sin(hour / 3.8)) })),
    errors: [
      { code: 'NETWORK_TIMEOUT', agents: 11 },
      { code: 'STAGE_SPACE', agents: 5 },
      { code: 'BYTES_HASH', agents: 2 },
    ],
    events: Array.from({ length: 40 }, (_, index) => eventOf(index)),
    stuck: Array.from({ length: 44 }, (_, index) => agentOf(index, '1.2.7', NOW_MS - index * 10_000)),
    silent: Array.from({ length: 37 }, (_, index) => agentOf(index + 500, '1.4.0', NOW_MS - (60 - index) * HOUR_MS)),
    ...changes,
  }
}

/** Nothing was read. */
export function emptyFigures(): FleetFigures {
  const none = { total: 0, active: 0, silent: 0, stuck: 0 }
  return sampleFigures({
    firstMs: Number.NaN,
    lastMs: Number.NaN,
    offered: undefined,
    lines: { total: 0, polls: 0, others: 0, malformed: 0, damaged: 0, refused: 0, malformedExamples: [] },
    agents: none,
    versions: [],
    platforms: [],
    channels: [],
    states: { confirmed: 0, trial: 0, 'rolled-back': 0, waiting: 0, failed: 0 },
    releases: [],
    distribution: [],
    polls: [],
    errors: [],
    events: [],
    stuck: [],
    silent: [],
  })
}

export function idOf(index: number): string {
  return (index * 2_654_435_761).toString(16).padStart(16, '0').slice(-16)
}

export function agentOf(index: number, version: string, lastMs: number): AgentLine {
  return {
    id: idOf(index),
    version,
    platform: index % 3 === 0 ? 'linux-arm64' : 'linux-amd64',
    channel: index % 10 === 0 ? 'beta' : 'stable',
    state: index % 4 === 0 ? 'failed' : 'waiting',
    error: index % 4 === 0 ? 'STAGE_SPACE' : undefined,
    lastMs,
    sinceMs: NOW_MS - (200 - index) * HOUR_MS,
  }
}

function distributionAt(part: number): Record<string, number> {
  const come = (from: number, to: number): number => Math.max(0, Math.min(1, (part - from) / (to - from)))
  const newest = Math.round(560 * come(0.72, 1))
  const before = Math.round(700 * come(0.2, 0.5)) - Math.round(newest * 0.8)
  const old = 1000 - newest - before - 90
  return {
    '1.4.2': newest,
    '1.4.1': before,
    '1.4.0': old,
    '1.3.9': 20,
    '1.3.0-rc.1': 12,
    '1.2.7': 44,
    '1.2.0': 9,
    '1.1.0': 5,
  }
}

function releaseOf(version: string, index: number, distribution: FleetFigures['distribution']): ReleaseFigures {
  const agents = distribution.at(-1)?.agents[version] ?? 0
  const rolledBack = index === 0 ? 9 : 0
  const failed = index === 0 ? 18 : index
  const isTold = index < 4
  return {
    version,
    agents,
    updated: isTold ? agents : 0,
    rolledBack: isTold ? rolledBack : 0,
    failed: isTold ? failed : 0,
    onTrial: index === 0 ? 31 : 0,
    silent: 0,
    erring: 0,
    hashMismatches: 0,
    failureRate: isTold ? (rolledBack + failed) / (agents + rolledBack + failed) : undefined,
    firstSeenMs: isTold ? NOW_MS - (index * 2 + 2) * 24 * HOUR_MS : undefined,
    timeToUpdate: isTold ? { median: 420 * (index + 1), p95: 5400 * (index + 1), max: 90_000 } : undefined,
    adoption: distribution
      .filter(({ agents: all }) => (all[version] ?? 0) > 0)
      .map(({ atMs, agents: all }) => ({ atMs, agents: all[version] ?? 0 })),
  }
}

function eventOf(index: number): FleetEvent {
  const kind = index % 7 === 3 ? 'failed' : index % 11 === 5 ? 'rolled-back' : 'updated'
  const detail = { updated: '340', failed: 'STAGE_SPACE', 'rolled-back': 'probe' }[kind]
  return { atMs: NOW_MS - index * 55_000, id: idOf(index + 90), kind, version: '1.4.2', detail }
}

function sharesOf(shares: Readonly<Record<string, number>>, agents: number): FleetFigures['platforms'] {
  return Object.entries(shares).map(([key, share]) => ({ key, share, agents: Math.round(share * agents) }))
}
