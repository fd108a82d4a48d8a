import { formatDate, formatDuration, parseDate, parseDuration, type Stage, STAGES_MAX } from '../manifests/index.ts'

export interface StageOffset {
  /** Counted from the moment the rollout is issued. */
  readonly afterMs: number
  readonly percent: number
}

const STAGE = /^([0-9a-z]+):(\d{1,3})%$/
/** Ten years: no rollout lives as long, and every such date can be written. */
const AFTER_MAX_MS = 3650 * 24 * 60 * 60 * 1000

/** Reads `0h:5%,24h:25%,48h:100%`; undefined when the text is no list of later and larger stages. */
export function parseStages(text: string): StageOffset[] | undefined {
  const stages: StageOffset[] = []
  for (const part of text.split(',')) {
    const [, after = '', percent = ''] = STAGE.exec(part.trim()) ?? []
    const afterMs = parseDuration(after)
    if (afterMs === undefined || afterMs > AFTER_MAX_MS || Number(percent) > 100) return undefined
    const last = stages.at(-1)
    if (last !== undefined && (afterMs <= last.afterMs || Number(percent) < last.percent)) return undefined
    stages.push({ afterMs, percent: Number(percent) })
  }
  return stages.length <= STAGES_MAX ? stages : undefined
}

export function datedStages(stages: readonly StageOffset[], issuedMs: number): Stage[] {
  return stages.map(({ afterMs, percent }) => ({ at: formatDate(issuedMs + afterMs), percent }))
}

/** The inverse of `datedStages` and `parseStages`, counted from `sinceMs`. */
export function printStages(stages: readonly StageOffset[]): string {
  const [only, ...more] = stages
  if (only?.afterMs === 0 && more.length === 0) return `${only.percent}%`
  return stages.map(({ afterMs, percent }) => `${formatDuration(afterMs)}:${percent}%`).join(',')
}

export interface TimedStage {
  readonly atMs: number
  readonly percent: number
}

/** By time, as agents read them; of two at the same time the later one counts. */
export function inOrder(stages: readonly Stage[]): TimedStage[] {
  return stages
    .map(({ at, percent }) => ({ atMs: parseDate(at) ?? Number.POSITIVE_INFINITY, percent }))
    .toSorted((a, b) => a.atMs - b.atMs)
}

/** The share of the fleet that the stages give at a time: 0 before the first. */
export function percentAt(stages: readonly Stage[], now: number): number {
  return inOrder(stages).findLast(({ atMs }) => atMs <= now)?.percent ?? 0
}
