import { formatDate, parseDuration, type Stage, STAGES_MAX } from '../manifests/index.ts'

export interface StageOffset {
  /** Counted from the moment the rollout is issued. */
  readonly afterMs: number
  readonly percent: number
}

const STAGE = /^([0-9a-z]+):(\d{1,3})%$/

/** Reads `0h:5%,24h:25%,48h:100%`; undefined when the text is no list of later and larger stages. */
export function parseStages(text: string): StageOffset[] | undefined {
  const stages: StageOffset[] = []
  for (const part of text.split(',')) {
    const [, after = '', percent = ''] = STAGE.exec(part.trim()) ?? []
    const afterMs = parseDuration(after)
    if (afterMs === undefined || Number(percent) > 100) return undefined
    const last = stages.at(-1)
    if (last !== undefined && (afterMs <= last.afterMs || Number(percent) < last.percent)) return undefined
    stages.push({ afterMs, percent: Number(percent) })
  }
  return stages.length <= STAGES_MAX ? stages : undefined
}

export function datedStages(stages: readonly StageOffset[], issuedMs: number): Stage[] {
  return stages.map(({ afterMs, percent }) => ({ at: formatDate(issuedMs + afterMs), percent }))
}
