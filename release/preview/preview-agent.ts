import {
  type AgentFacts,
  type Decision,
  forecast,
  type Manifest,
  type OtherReleases,
  type ReleaseNeeded,
  type Verified,
} from '../../manifests/index.ts'

/** From nothing to the fallback and on to the release, or through a few pins: who moves more often goes to and fro. */
const MOVES_MAX = 8

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
  /** Why it stays where the moves have led it; undefined when they never end. */
  readonly rest: Exclude<Decision, { kind: 'install' }> | undefined
}

/** @param now milliseconds since 1970 */
export function previewAgent(
  manifest: Verified<Manifest>,
  facts: AgentFacts,
  now: number,
  others: OtherReleases,
): PreviewedAgent | ReleaseNeeded {
  const moves: Move[] = []
  let decision: Decision | undefined
  let rest: PreviewedAgent['rest']
  let { running } = facts
  let atMs = now
  while (moves.length < MOVES_MAX) {
    const foreseen = forecast(manifest, { ...facts, running }, atMs, others)
    if ('ref' in foreseen) return foreseen
    decision ??= foreseen.decision
    const { move } = foreseen
    if (move === undefined) {
      rest = foreseen.decision.kind === 'install' ? undefined : foreseen.decision
      break
    }
    const { version, reason } = move.decision
    moves.push({ atMs: move.atMs, version, reason })
    ;[running, atMs] = [version, move.atMs]
  }
  if (decision === undefined) throw new Error('no decision')
  const { id, platform } = facts
  return {
    kind: 'previewed',
    id,
    platform,
    ...(facts.running === undefined ? {} : { running: facts.running }),
    decision,
    moves,
    rest,
  }
}
