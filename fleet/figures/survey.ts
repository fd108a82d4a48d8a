// What has to be known before agents can be judged: which program, which channel, what is offered, and since when.

import type { Fleet } from '../engine/fleet.ts'
import { compareTexts, compareVersionTexts } from '../engine/version-order.ts'

export interface Offer {
  readonly version: string
  /** When the first agent of the channel was seen on it; undefined where none was. */
  readonly sinceMs: number | undefined
}

export interface Survey {
  readonly name: string
  /** The one with the most agents. */
  readonly mainChannel: string
  readonly offers: ReadonlyMap<string, Offer>
}

export interface Selection {
  /** Name of the program, where the logs hold several; by default the one with the most agents. */
  readonly name?: string | undefined
  /** All channels by default. */
  readonly channel?: string | undefined
  /** On all channels; by default the newest version that an agent of the channel runs. */
  readonly offered?: string | undefined
}

interface Line {
  readonly name: string
  readonly channel: string
  agents: number
  newest: string
  readonly running: Set<string>
  readonly firstSeenMs: Map<string, number>
}

export function surveyFleet(fleet: Fleet, selection: Selection): Survey {
  const all = linesOf(fleet)
  const name = selection.name ?? mostFrequent(all, (line) => line.name)
  const lines = all.filter((line) => line.name === name && (selection.channel ?? line.channel) === line.channel)
  const offers = lines.map(({ channel, newest, firstSeenMs }) => {
    const version = selection.offered ?? newest
    return [channel, { version, sinceMs: firstSeenMs.get(version) }] as const
  })
  return { name, mainChannel: mostFrequent(lines, (line) => line.channel), offers: new Map(offers) }
}

/** Each channel of each program. */
function linesOf(fleet: Fleet): Line[] {
  const lines = new Map<string, Line>()
  fleet.forEachAgent((agent) => {
    const { name, channel, version } = agent.tail
    const key = `${name} ${channel}`
    let line = lines.get(key)
    if (line === undefined)
      lines.set(key, (line = { name, channel, agents: 0, newest: 'none', running: new Set(), firstSeenMs: new Map() }))
    line.agents++
    if (!line.running.has(version)) {
      line.running.add(version)
      if (compareVersionTexts(version, line.newest) > 0) line.newest = version
    }
    for (const visit of agent.visits()) {
      const known = line.firstSeenMs.get(visit.version)
      if (known === undefined || visit.firstMs < known) line.firstSeenMs.set(visit.version, visit.firstMs)
    }
  })
  return [...lines.values()]
}

function mostFrequent(lines: readonly Line[], keyOf: (line: Line) => string): string {
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(keyOf(line), (counts.get(keyOf(line)) ?? 0) + line.agents)
  return [...counts].sort(([a, m], [b, n]) => n - m || compareTexts(a, b))[0]?.[0] ?? ''
}
