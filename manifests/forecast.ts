import { type AgentFacts, decide, type Decision, type OtherReleases, type ReleaseNeeded } from './decide.ts'
import type { Manifest } from './manifest.ts'
import type { Verified } from './verify-manifest.ts'

/** An update comes through a stage, a spread and windows; no agent waits for more things one after the other. */
const WAITS_MAX = 64

export interface Forecast {
  readonly decision: Decision
  /** What it comes to if nothing is published and nobody does anything on the machine; its time is milliseconds since 1970. */
  readonly move?: { readonly atMs: number; readonly decision: Extract<Decision, { kind: 'install' }> }
}

/** What an agent does now, and when it will move: `decide` asked again at the end of each wait. */
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
    if (decision.kind !== 'wait' || decision.untilMs === undefined || decision.untilMs <= atMs) break
    atMs = decision.untilMs
    const next = decide(manifest, facts, atMs, others)
    if (next.kind === 'release-needed') return next
    decision = next
  }
  return { decision: first }
}
