import type { AgentFacts } from './agent-facts.ts'
import { decide, type Decision, type OtherReleases, type ReleaseNeeded } from './decide.ts'
import { STAGES_MAX } from './limits.ts'
import type { Manifest } from './manifest.ts'
import { courseOf } from './rollout-course.ts'
import type { Verified } from './verify-manifest.ts'

/** Each stage may begin, come to the agent, and meet closed windows. */
const WAITS_MAX = 3 * STAGES_MAX

export interface Forecast {
  readonly decision: Decision
  /** What it comes to if nothing is published and nobody does anything on the machine; its time is milliseconds since 1970. */
  readonly move?: { readonly atMs: number; readonly decision: Extract<Decision, { kind: 'install' }> }
}

/** What an agent does now, and when it will move: `decide` asked again whenever the answer can change by itself. */
export function forecast(
  manifest: Verified<Manifest>,
  facts: AgentFacts,
  now: number,
  others?: OtherReleases,
): Forecast | ReleaseNeeded {
  const first = decide(manifest, facts, now, others)
  if (first.kind === 'release-needed') return first
  let [atMs, decision] = [now, first]
  for (let waits = 0; waits < WAITS_MAX; waits += 1) {
    if (decision.kind === 'install') return { decision: first, move: { atMs, decision } }
    if (decision.kind === 'up-to-date') break
    // Whatever it waits for here, its stage may come; or pass, and leave it with the fallback.
    const course = courseOf(manifest, facts, atMs)
    const ownMs = course.kind === 'held' ? course.untilMs : undefined
    const waitMs = decision.kind === 'wait' ? decision.untilMs : undefined
    const endMs = Math.min(...[waitMs, ownMs, course.nextStageMs].map((endsMs = Infinity) => endsMs))
    if (endMs === Infinity || endMs <= atMs) break
    atMs = endMs
    const next = decide(manifest, facts, atMs, others)
    if (next.kind === 'release-needed') return next
    decision = next
  }
  return { decision: first }
}
