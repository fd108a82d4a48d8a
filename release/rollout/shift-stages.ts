// Stages are dates. Where something else than the calendar decides when they begin, they are moved as a whole.

import { formatDate, parseDate, type Rollout, type Rule, type Stage } from '../../manifests/index.ts'

/** The first stage begins at `now`, and the others as much later as they were. */
export function beginAt(stages: readonly Stage[], now: number): Stage[] {
  const firstMs = Math.min(...stages.map(({ at }) => timeOf(at)))
  return stages.map(({ at, percent }) => ({ at: formatDate(timeOf(at) - firstMs + now), percent }))
}

/** Rules for another release: what was begun for the one before begins anew. */
export function beginRulesAt(rules: readonly Rule[], now: number): Rule[] {
  return rules.map((rule) => (rule.stages === undefined ? rule : { ...rule, stages: beginAt(rule.stages, now) }))
}

type Paused = Pick<Rollout, 'stages' | 'rules' | 'paused_since'>

/**
 * What had not begun when the rollout was paused begins as much later as the pause lasts.
 * @param now milliseconds since 1970: the end of the pause
 */
export function delayByPause<T extends Paused>(rollout: T, now: number): T {
  const sinceMs = timeOf(rollout.paused_since ?? '')
  if (!Number.isFinite(sinceMs) || sinceMs >= now) return rollout
  const delay = (stages: readonly Stage[]): Stage[] =>
    stages.map((stage) =>
      timeOf(stage.at) <= sinceMs ? stage : { ...stage, at: formatDate(timeOf(stage.at) + now - sinceMs) },
    )
  const { stages, rules } = rollout
  return {
    ...rollout,
    stages: delay(stages),
    ...(rules === undefined
      ? {}
      : {
          rules: rules.map((rule) => (rule.stages === undefined ? rule : { ...rule, stages: delay(rule.stages) })),
        }),
  }
}

function timeOf(date: string): number {
  return parseDate(date) ?? Number.NaN
}
