// What a preview comes to: how many agents move when and why, how many stay, and the curve of adoption.

import { compareVersions, formatDate } from '../../manifests/index.ts'
import type { PreviewedAgent } from './preview-agent.ts'

const CURVE_POINTS = 16

export interface MoveGroup {
  readonly reason: string
  readonly version: string
  readonly agents: number
  readonly first: string
  readonly last: string
}

export interface RestGroup {
  /** Such as `up-to-date`, `wait stage` or `refuse quarantined`. */
  readonly why: string
  /** What they run then; absent when that is nothing. */
  readonly version?: string
  readonly agents: number
}

/** How many run the offered version at a time. */
export interface CurvePoint {
  readonly at: string
  readonly agents: number
  readonly percent: number
}

export function groupMoves(agents: readonly PreviewedAgent[]): MoveGroup[] {
  const groups = new Map<string, { reason: string; version: string; agents: number; firstMs: number; lastMs: number }>()
  for (const { moves } of agents) {
    for (const { reason, version, atMs } of moves) {
      const key = `${reason} ${version}`
      const group = groups.get(key) ?? { reason, version, agents: 0, firstMs: atMs, lastMs: atMs }
      group.agents += 1
      group.firstMs = Math.min(group.firstMs, atMs)
      group.lastMs = Math.max(group.lastMs, atMs)
      groups.set(key, group)
    }
  }
  return [...groups.values()]
    .toSorted((a, b) => b.agents - a.agents)
    .map(({ firstMs, lastMs, ...group }) => ({ ...group, first: formatDate(firstMs), last: formatDate(lastMs) }))
}

export function groupRest(agents: readonly PreviewedAgent[]): RestGroup[] {
  const groups = new Map<string, { why: string; version?: string; agents: number }>()
  for (const agent of agents) {
    const version = agent.moves.at(-1)?.version ?? agent.running
    const why = restText(agent.rest)
    const key = `${why} ${version}`
    const group = groups.get(key) ?? { why, ...(version === undefined ? {} : { version }), agents: 0 }
    group.agents += 1
    groups.set(key, group)
  }
  return [...groups.values()].toSorted((a, b) => b.agents - a.agents)
}

export function restText(rest: PreviewedAgent['rest']): string {
  return 'reason' in rest ? `${rest.kind} ${rest.reason}` : rest.kind
}

/** Evenly from now to the last move. */
export function adoptionCurve(agents: readonly PreviewedAgent[], offered: string, now: number): CurvePoint[] {
  const changes = agents.flatMap(({ running, moves }) => {
    const runs = (version: string | undefined): number =>
      version !== undefined && compareVersions(version, offered) === 0 ? 1 : 0
    const versions = [running, ...moves.map(({ version }) => version)].map(runs)
    const steps = moves.map(({ atMs }, index) => ({ atMs, by: (versions[index + 1] ?? 0) - (versions[index] ?? 0) }))
    return [{ atMs: now, by: versions[0] ?? 0 }, ...steps]
  })
  const ordered = changes.filter(({ by }) => by !== 0).toSorted((a, b) => a.atMs - b.atMs)
  const lastMs = ordered.at(-1)?.atMs ?? now
  const points = lastMs === now ? 1 : CURVE_POINTS
  const curve: CurvePoint[] = []
  let [count, next] = [0, 0]
  for (let point = 0; point < points; point += 1) {
    // A whole second that is not before the move which it is to show.
    const atMs = point === 0 ? now : Math.ceil((now + ((lastMs - now) * point) / (points - 1)) / 1000) * 1000
    for (let change = ordered[next]; change !== undefined && change.atMs <= atMs; change = ordered[next]) {
      count += change.by
      next += 1
    }
    curve.push({ at: formatDate(atMs), agents: count, percent: share(count, agents.length) })
  }
  return curve
}

/** In tenths of a percent; all and nobody are exact. */
function share(count: number, all: number): number {
  if (all === 0) return 0
  const tenths = Math.round((count / all) * 1000)
  return Math.min(Math.max(tenths, count > 0 ? 1 : 0), count < all ? 999 : 1000) / 10
}
