// Questions to the decision: what is offered, what the agent is, and which other releases can be had.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  type AgentFacts,
  decide,
  type Decision,
  type JsonObject,
  type Manifest,
  type OtherReleases,
  parseDate,
  type Release,
  RELEASE_UNSIGNED,
  type ReleaseRef,
  statementDigest,
  type Verified,
  verifyManifest,
  verifyRelease,
} from '../../manifests/index.ts'
import {
  defaultKeys,
  makeManifest,
  makeRelease,
  NOW_MS,
  type Overrides,
  signStatement,
} from '../fixtures/signed-manifest.ts'

export const AT = (text: string): number => parseDate(text) as number
/** A salt makes the buckets independent of the release: agent-1 has 8470, agent-2 has 689. */
export const SALT = 'salt'
export const LATE = { id: 'agent-1', bucket: 8470 }
export const EARLY = { id: 'agent-2', bucket: 689 }

export interface Case {
  readonly release?: Overrides
  readonly rollout?: Overrides
  readonly facts?: Partial<AgentFacts>
  readonly now?: number
  readonly others?: OtherReleases
}

export function offer({ release = {}, rollout = {} }: Case): Verified<Manifest> {
  const { bytes, trust } = makeManifest({ release, rollout: { salt: SALT, ...rollout } })
  const verdict = verifyManifest(bytes, trust, NOW_MS)
  assert.ok(verdict.kind === 'accepted', verdict.kind === 'refused' ? verdict.error.message : '')
  return verdict.manifest
}

/** Agent-1 on linux-amd64 with 1.4.1, which is offered 1.4.2 for all. */
export function factsOf(facts: Partial<AgentFacts> = {}): AgentFacts {
  return { id: LATE.id, platform: 'linux-amd64', running: '1.4.1', quarantine: new Set(), ...facts }
}

export function decideCase(given: Case): Decision {
  const decision = decide(offer(given), factsOf(given.facts), given.now ?? NOW_MS, given.others ?? OTHERS)
  assert.ok(decision.kind !== 'release-needed')
  return decision
}

/** `kind`, or `kind reason`; with the version of what is not the offered release. */
export function outcome(given: Case): string {
  const decision = decideCase(given)
  if (decision.kind === 'up-to-date') return decision.kind
  const offered = given.release?.['version'] ?? '1.4.2'
  return [decision.kind, decision.reason, ...(decision.version === offered ? [] : [decision.version])].join(' ')
}

export function table(rows: readonly (readonly [name: string, given: Case, expected: string])[]): void {
  for (const [name, given, expected] of rows) test(name, () => assert.equal(outcome(given), expected))
}

export const percent = (value: number) => ({ stages: [{ at: '2026-11-21T02:00:00Z', percent: value }] })

/** A published release that is not the one in the manifest. */
export interface Published {
  readonly ref: ReleaseRef & JsonObject
  readonly release: Verified<Release>
  readonly bytes: Uint8Array
}

export function publishedRelease(version: string, overrides: Overrides = {}): Published {
  const document = signStatement(makeRelease({ version, ...overrides }), defaultKeys().release, RELEASE_UNSIGNED)
  const bytes = new TextEncoder().encode(JSON.stringify(document))
  const ref = { version, release: statementDigest(document, RELEASE_UNSIGNED), url: `releases/${version}.json` }
  return { ref, release: verifyRelease(bytes, ref, makeManifest().trust.root), bytes }
}

export const [OLD, BEFORE, NEXT] = [publishedRelease('1.3.0'), publishedRelease('1.4.1'), publishedRelease('1.5.0')]
export const OTHERS: OtherReleases = new Map([OLD, BEFORE, NEXT].map(({ ref, release }) => [ref.release, release]))
