import type { AgentNames } from '../agent-names.ts'
import type { AlertOptions } from '../alerts/find-alerts.ts'

/** What the publisher has laid down for the release that is offered. */
export interface RolloutView {
  readonly stages: readonly { readonly atMs: number; readonly percent: number }[]
  readonly isPaused: boolean
}

export interface ReportOptions extends AlertOptions {
  readonly names?: AgentNames
  readonly rollout?: RolloutView
  /** Only told: the figures were made with it. */
  readonly silentAfterMs?: number
}

/** The percentage of the stage that has begun last; 0 before the first. */
export function stageAt({ stages }: RolloutView, timeMs: number): number {
  return stages
    .filter(({ atMs }) => atMs <= timeMs)
    .reduce((last, one) => (one.atMs >= last.atMs ? one : last), { atMs: -Infinity, percent: 0 }).percent
}
