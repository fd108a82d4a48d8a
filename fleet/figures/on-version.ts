import type { Visit } from '../engine/fleet.ts'

export interface Stay {
  readonly version: string
  readonly fromMs: number
  /** The first moment at which it is no longer so. */
  readonly untilMs: number
}

/**
 * On which version an agent was when, from the first and last poll on each. Of two that overlap the one that came later
 * counts while it lasts: that is a trial, rolled back. Between two, the agent was on the earlier.
 * @param graceMs how long after its last poll an agent is taken to be there
 */
export function staysOf(visits: readonly Visit[], graceMs: number): Stay[] {
  const [only] = visits
  if (only === undefined) return []
  const endMs = Math.max(...visits.map(({ lastMs }) => lastMs)) + graceMs
  if (visits.length === 1) return [{ version: only.version, fromMs: only.firstMs, untilMs: endMs }]
  const times = new Set(visits.flatMap(({ firstMs, lastMs }) => [firstMs, lastMs + 1]))
  const borders = [...times].filter((time) => time < endMs).sort((a, b) => a - b)
  return borders.map((fromMs, index) => {
    return { version: versionAt(visits, fromMs), fromMs, untilMs: borders[index + 1] ?? endMs }
  })
}

/** @param visits in the order of their first polls */
function versionAt(visits: readonly Visit[], timeMs: number): string {
  const begun = visits.filter(({ firstMs }) => firstMs <= timeMs)
  const lasting = begun.findLast(({ lastMs }) => lastMs >= timeMs)
  const latest = begun.reduce(
    (best, visit) => (best !== undefined && best.lastMs >= visit.lastMs ? best : visit),
    begun[0],
  )
  return (lasting ?? latest)?.version ?? ''
}
