// From how fast a host may be asked for downloads to how long the agents of a stage are spread over.

import { formatDuration, parseDuration, type Stage } from '../../manifests/index.ts'
import { inOrder } from '../stages.ts'

export interface MaxRate {
  /** Downloads in a minute. */
  readonly perMinute: number
  /** Agents of the channel. */
  readonly fleetSize: number
}

const RATE = /^(\d{1,9})\/(s|sec|min|m|h)$/
const PER_MINUTE: Readonly<Record<string, number>> = { s: 60, sec: 60, min: 1, m: 1, h: 1 / 60 }

/** Downloads in a minute of `500/min`, `10/s` or `1000/h`; undefined when the text is none. */
export function parseRate(text: string): number | undefined {
  const [, count = '', unit = ''] = RATE.exec(text) ?? []
  const perMinute = Number(count) * (PER_MINUTE[unit] ?? 0)
  return perMinute > 0 ? perMinute : undefined
}

/**
 * The shortest spread that keeps all stages below the rate, also where one begins before the agents of the stage before
 * are through. Agents of rules are not counted: nobody knows how many they are.
 * @returns a duration in whole seconds
 */
export function spreadFor(stages: readonly Stage[], { perMinute, fleetSize }: MaxRate): string {
  const ordered = inOrder(stages)
  const joining = ordered.map(({ atMs, percent }, index) => ({
    atMs,
    share: Math.max(0, percent - (ordered[index - 1]?.percent ?? 0)) / 100,
  }))
  // A longer spread may reach into the next stage, which then wants a longer one: at most as often as there are stages.
  let spreadMs = -1
  for (let longer = 0; longer > spreadMs;) {
    spreadMs = longer
    const atOnce = joining.map(({ atMs }) =>
      joining
        .filter((other) => other.atMs === atMs || (other.atMs < atMs && atMs < other.atMs + spreadMs))
        .reduce((sum, { share }) => sum + share, 0),
    )
    longer = Math.ceil((Math.max(...atOnce) * fleetSize * 60) / perMinute) * 1000
  }
  return formatDuration(spreadMs)
}

/** The value of the member `spread`; none where agents are not to wait. */
export function spreadMember(spread: string | undefined): { readonly spread?: string } {
  return spread === undefined || parseDuration(spread) === 0 ? {} : { spread }
}
