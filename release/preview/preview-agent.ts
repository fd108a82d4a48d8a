import {
  type AgentFacts,
  type Decision,
  forecast,
  type Manifest,
  type OtherReleases,
  type ReleaseNeeded,
  rulingFor,
  type Verified,
} from '../../manifests/index.ts'

export interface Move {
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly version: string
  readonly reason: Extract<Decision, { kind: 'install' }>['reason']
}

export interface PreviewedAgent {
  readonly kind: 'previewed'
  readonly id: string
  readonly platform: string
  /** What it runs; absent when that is nothing. */
  readonly running?: string
  /** The decision of now, as the agent itself would make it. */
  readonly decision: Decision
  /** What it will install if nothing else is published, one after the other. */
  readonly moves: readonly Move[]
  /** Why it stays where the moves have led it. */
  readonly rest: Exclude<Decision, { kind: 'install' }>
  /** Where a rule would pin it, if it could stay there. */
  readonly lostPin?: string
}

/** @param now milliseconds since 1970 */
export function previewAgent(
  manifest: Verified<Manifest>,
  facts: AgentFacts,
  now: number,
  others: OtherReleases,
): PreviewedAgent | ReleaseNeeded {
  const moves: Move[] = []
  let first: Decision | undefined
  let { running } = facts
  let atMs = now
  // It ends: no manifest leads an agent back to where it was.
  for (;;) {
    const foreseen = forecast(manifest, { ...facts, running }, atMs, others)
    if ('ref' in foreseen) return foreseen
    const { decision, move } = foreseen
    first ??= decision
    if (move !== undefined) {
      const { version, reason } = move.decision
      moves.push({ atMs: move.atMs, version, reason })
      ;[running, atMs] = [version, move.atMs]
    } else if (decision.kind === 'install') throw new Error('an installation without a time')
    else {
      const { id, platform } = facts
      const lostPin = lostPinOf(manifest, { ...facts, running }, decision)
      return {
        kind: 'previewed',
        id,
        platform,
        ...(facts.running === undefined ? {} : { running: facts.running }),
        decision: first,
        moves,
        rest: decision,
        ...(lostPin === undefined ? {} : { lostPin }),
      }
    }
  }
}

function lostPinOf({ rollout }: Manifest, facts: AgentFacts, rest: PreviewedAgent['rest']): string | undefined {
  const pin = rulingFor(rollout.rules, facts).move?.pin?.version
  const isMeant = pin === facts.running || ('version' in rest && rest.version === pin)
  return isMeant ? undefined : pin
}
