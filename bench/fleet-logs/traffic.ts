// Polls of a fleet that takes a release in stages, made from a seed: the same seed gives the same traffic in every
// format.

import { type Beacon, formatBeacon } from '../../manifests/beacon.ts'

export interface TrafficOptions {
  readonly lines: number
  readonly agents: number
  readonly seed: number
  /** Between two polls of an agent. */
  readonly intervalS?: number
}

export interface Poll {
  readonly timeMs: number
  readonly path: string
  readonly status: number
  readonly bytes: number
  readonly remote: string
  readonly userAgent: string
  /** What was said, for those who check. */
  readonly beacon: Beacon
}

export const TRAFFIC_START_MS = Date.UTC(2026, 10, 20)
const INTERVAL_S = 300
const PLATFORMS = ['linux-amd64', 'linux-amd64', 'linux-amd64', 'linux-arm64', 'darwin-arm64', 'windows-amd64']
const OLD_VERSIONS = ['1.3.9', '1.4.0', '1.4.1', '1.4.1', '1.4.1']
const NEW_VERSION = '1.4.2'

/** Numbers in [0, 1) that follow from their arguments alone. */
export function drawFrom(seed: number, ...parts: number[]): number {
  let hash = seed | 0
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 0x9e3779b1)
    hash ^= hash >>> 15
    hash = Math.imul(hash, 0x85ebca77)
    hash ^= hash >>> 13
  }
  return (hash >>> 0) / 0x1_0000_0000
}

/** In the order of time: each agent polls once in an interval, at a moment of its own. */
export function* makeTraffic({ lines, agents, seed, intervalS = INTERVAL_S }: TrafficOptions): Generator<Poll> {
  const rounds = Math.ceil(lines / agents)
  let made = 0
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < agents && made < lines; turn++, made++) {
      const timeMs = TRAFFIC_START_MS + (round * intervalS + Math.floor((turn / agents) * intervalS)) * 1000
      yield makePoll(timeMs, turn, round, rounds, seed)
    }
  }
}

function makePoll(timeMs: number, agent: number, round: number, rounds: number, seed: number): Poll {
  const draw = (what: number): number => drawFrom(seed, agent, what)
  const old = OLD_VERSIONS[Math.floor(draw(1) * OLD_VERSIONS.length)] ?? '1.4.1'
  const channel = draw(2) < 0.04 ? 'beta' : 'stable'
  // The round in which it takes the new version: a stage of the rollout opens while the log is written.
  const takesAt = draw(3) < 0.3 ? 1 + Math.floor(draw(4) * rounds) : rounds + 1
  const fails = draw(5) < 0.01
  const isOn = round >= takesAt && !fails
  const isStuck = round < takesAt && draw(15) < 0.05
  const seconds = 20 + Math.floor(draw(6) * 3000)
  const told = round === takesAt || (round === takesAt + 1 && draw(7) < 0.1)
  const outcome = fails
    ? ({ n: 1, kind: 'rolled-back', version: NEW_VERSION, detail: 'UNHEALTHY' } as const)
    : ({ n: 1, kind: 'updated', version: NEW_VERSION, detail: String(seconds) } as const)
  const beacon: Beacon = {
    name: 'heartbeat-agent',
    version: isOn ? NEW_VERSION : old,
    platform: PLATFORMS[Math.floor(draw(8) * PLATFORMS.length)] ?? 'linux-amd64',
    channel,
    id: hex(draw(9)) + hex(draw(10)),
    state: isOn ? 'confirmed' : round >= takesAt ? 'rolled-back' : isStuck ? 'failed' : 'waiting',
    ...(isStuck ? { error: draw(11) < 0.3 ? 'STAGE_SPACE' : 'NETWORK_TIMEOUT' } : {}),
    events: told ? [outcome] : [],
    updater: '0.1.0',
  }
  const isNew = drawFrom(seed, agent, round, 12) < 0.05
  return {
    timeMs,
    path: channel === 'stable' ? '/heartbeat/version.json' : `/heartbeat/${channel}/version.json`,
    status: isNew ? 200 : 304,
    bytes: isNew ? 3870 : 311,
    remote: `198.51.${Math.floor(draw(13) * 256)}.${Math.floor(draw(14) * 256)}`,
    userAgent: formatBeacon(beacon),
    beacon,
  }
}

function hex(draw: number): string {
  return Math.floor(draw * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
}
