// One mutant: made from (seed, index) alone, verified, judged. The judge reads an accepted mutant with JSON.parse and
// compares values, so that neither the strict reader nor the canonical form under test is its own witness.

import { isDeepStrictEqual } from 'node:util'

import { type JsonObject, type JsonValue, NO_FLOOR, type Verdict, verifyManifest } from '../../manifests/index.ts'
import { CORPUS, FIRST_WITH_CHAIN, GENUINE_ROOTS, type Sample } from './corpus.ts'
import { mutateBytes } from './mutate-bytes.ts'
import { mutateStructure } from './mutate-structure.ts'
import { mutateTokens, tokensOf } from './mutate-tokens.ts'
import { RandomDocuments } from './random-documents.ts'

/** Far beyond what a verification costs, so that a busy machine is not taken for a hang. */
export const MUTANT_MAX_MS = 5000
const CHAIN_ONCE_IN = 40

export interface Mutant {
  readonly sample: Sample
  readonly bytes: Uint8Array
}

export interface Judgement {
  /** `refused ERR_...`, or `accepted: ` and why that is right. */
  readonly kind: string
  /** What is wrong, if something is. */
  readonly violation?: string
}

export function makeMutant(seed: number, index: number): Mutant {
  const random = new RandomDocuments(seed, index)
  const sample = random.once(CHAIN_ONCE_IN)
    ? random.pick(CORPUS.slice(FIRST_WITH_CHAIN))
    : random.pick(CORPUS.slice(0, FIRST_WITH_CHAIN))
  const other = random.pick(CORPUS)
  const kind = random.below(20)
  if (kind < 5) return { sample, bytes: encode(mutateStructure(random, sample.document)) }
  let { bytes } = sample
  for (let times = random.once(3) ? 1 + random.below(4) : 1; times > 0; times -= 1) {
    if (kind < 11)
      bytes = encode(mutateTokens(random, new TextDecoder().decode(bytes), new TextDecoder().decode(other.bytes)))
    else bytes = mutateBytes(random, bytes, other.bytes)
    if (bytes.length === 0) break
  }
  return { sample, bytes }
}

export function judgeMutant({ sample, bytes }: Mutant): Judgement {
  const { trust, now } = sample
  const startedAt = performance.now()
  let verdict: Verdict
  try {
    verdict = verifyManifest(bytes, trust, now)
  } catch (error) {
    return { kind: 'thrown', violation: `verifyManifest threw ${String(error)}` }
  }
  const tookMs = performance.now() - startedAt
  const kind = verdict.kind === 'refused' ? `refused ${verdict.error.code}` : `accepted: ${reasonOf(sample, bytes)}`
  const violations = [
    ...(tookMs > MUTANT_MAX_MS ? [`took ${Math.round(tookMs)} ms`] : []),
    ...stateViolations(sample, verdict),
    ...(verdict.kind === 'refused'
      ? refusalViolations(verdict.error.code)
      : acceptanceViolations(sample, bytes, verdict)),
  ]
  return violations.length === 0 ? { kind } : { kind, violation: violations.join('; ') }
}

/** Nothing is believed afterwards but genuine roots. */
function stateViolations({ trust }: Sample, verdict: Verdict): string[] {
  const { root, channel, floor } = verdict.trust
  const violations: string[] = []
  if (channel !== trust.channel) violations.push('another channel')
  if (
    root !== trust.root &&
    !GENUINE_ROOTS.some((genuine) => isDeepStrictEqual(signedPart(root.document), signedPart(genuine)))
  ) {
    violations.push('a root that nobody signed')
  }
  if (root.name !== trust.root.name || root.version < trust.root.version) violations.push('a root that does not follow')
  if (verdict.kind === 'refused' && !isDeepStrictEqual(floor, trust.floor)) {
    const isReset = isDeepStrictEqual(floor, NO_FLOOR) && root.version > trust.root.version
    if (!isReset) violations.push('another floor after a refusal')
  }
  return violations
}

function refusalViolations(code: string): string[] {
  return code === 'ERR_BUG' ? ['a check broke'] : []
}

function acceptanceViolations({ trust }: Sample, bytes: Uint8Array, verdict: Verdict): string[] {
  const violations: string[] = []
  const text = decode(bytes)
  const document = text === undefined ? undefined : readPlainly(text)
  if (text === undefined || document === undefined) return ['accepted, although JSON.parse does not read it']
  const genuine = CORPUS.find((one) => isSameStatements(one.document, document))
  if (genuine === undefined) violations.push('accepted, although nobody signed this release and rollout')
  if (countKeys(document) !== countKeyTokens(text)) violations.push('accepted with a repeated key')
  const { floor, root } = verdict.trust
  // Only a later root can have reset the floor.
  if (root.version === trust.root.version && floor.sequence < trust.floor.sequence) violations.push('accepted a replay')
  const rollout = document['rollout'] as JsonObject
  if (floor.sequence !== rollout['sequence']) violations.push('accepted with another sequence')
  if (verdict.kind === 'accepted' && verdict.manifest.release.version !== document['version']) {
    violations.push('accepted with another version')
  }
  return violations
}

/** Why a mutant may be accepted. */
function reasonOf(sample: Sample, bytes: Uint8Array): string {
  if (Buffer.compare(bytes, sample.bytes) === 0) return 'the same bytes'
  const document = readPlainly(decode(bytes) ?? '')
  if (document === undefined) return 'unreadable'
  if (isDeepStrictEqual(document, sample.document)) return 'the same values, written in another way'
  if (isSameStatements(document, sample.document))
    return 'the same statements, with other signatures or roots beside them'
  return 'another release and rollout that were signed for each other'
}

function isSameStatements(a: JsonObject, b: JsonObject): boolean {
  return isDeepStrictEqual(statementsOf(a), statementsOf(b))
}

function statementsOf(document: JsonObject): JsonObject {
  const { trust: _, ...rest } = signedPart(document)
  return { ...rest, rollout: signedPart(document['rollout'] as JsonObject) }
}

function signedPart(document: JsonObject): JsonObject {
  const { signatures: _, ...rest } = document
  return rest
}

function readPlainly(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return undefined
  }
}

function countKeys(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0
  const inner = Object.values(value).reduce<number>((sum, item) => sum + countKeys(item), 0)
  return inner + (Array.isArray(value) ? 0 : Object.keys(value).length)
}

function countKeyTokens(text: string): number {
  return tokensOf(text).filter((token) => token === ':').length
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
