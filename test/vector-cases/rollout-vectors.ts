// Vectors of what comes after trust: buckets, flags and decisions. scripts/make-vectors.ts writes them to
// test/vectors/rollouts/; docs/vectors.md describes them.

import {
  type AgentFacts,
  decide,
  draw,
  type FlagDefinition,
  flagsShape,
  flagValues,
  formatDate,
  type HostPolicy,
  type Manifest,
} from '../../manifests/index.ts'
import type { Overrides } from '../fixtures/signed-manifest.ts'
import { makeShelf, manifestOf, RandomRollouts, type Shelf } from '../fuzz/random-rollouts.ts'

/** The vectors are the cases of this seed; another one would be other vectors. */
const SEED = 5
const DECISIONS_PER_OUTCOME = 12
const CASES_MAX = 20_000

const SALTS = ['', 'salt', '1.4.2', 'flag:parser', '0'.repeat(64), 'größe']
const IDS = [
  '',
  'agent-1',
  'web-001',
  'i-0123456789abcdef0',
  'höst-名前',
  '\u{1f600}',
  '5f9c7f2b0d6e4a1c8b3f6d2e9a7c4b10',
]

const share = (value: string | number | boolean, percent: number) => ({ value, percent })
const FLAGS: Readonly<Record<string, FlagDefinition>> = {
  parser: { shares: [share('new', 30), share('old', 50)] },
  colour: { shares: [share(1, 0), share(2, 100)] },
  'dark.mode': { shares: [share(true, 50)], salt: 'shared' },
  'new-menu': { shares: [share(false, 50)], salt: 'shared' },
}

/** File names below test/vectors/rollouts and their texts. */
export function rolloutVectorFiles(): Map<string, string> {
  const buckets = SALTS.flatMap((salt) => IDS.map((id) => ({ salt, id, ...drawn(salt, id) })))
  flagsShape.check(FLAGS, 'flags')
  const flags = { flags: FLAGS, agents: IDS.map((id) => ({ id, values: flagValues(FLAGS, id) })) }
  return new Map([
    ['buckets.json', linesOf(buckets)],
    ['flags.json', `${JSON.stringify(flags, null, 1)}\n`],
    ['decisions.json', decisionsText()],
  ])
}

/** The place as the integer that it is made of. */
function drawn(salt: string, id: string): { bucket: number; place: number } {
  const { bucket, place } = draw(salt, id)
  return { bucket, place: place * 2 ** 32 }
}

const membersOf = (version: string): Overrides => {
  const number = (platform: string): string => Buffer.from(`${platform} ${version}`).toString('hex').padEnd(64, '0')
  const binary = (platform: string) => ({
    url: `bin/${version}/${platform}`,
    sha256: number(platform).slice(0, 64),
    size: 7,
  })
  return {
    changelog: undefined,
    binaries: { 'linux-amd64': binary('linux-amd64'), 'darwin-arm64': binary('darwin-arm64') },
  }
}

/** With arrays in place of sets. */
export type PlainFacts = Omit<AgentFacts, 'quarantine' | 'policy'> & {
  readonly quarantine: readonly string[]
  readonly policy?: Omit<HostPolicy, 'approved'> & { readonly approved?: readonly string[] }
}

/** What a random case is, and what has to be said of it. */
export interface DecisionVector {
  readonly release: Manifest['release']
  readonly rollout: Manifest['rollout']
  readonly facts: PlainFacts
  readonly now: number
  readonly decision: object
}

function decisionsText(): string {
  const shelf = makeShelf(membersOf)
  const counts = new Map<string, number>()
  const cases: DecisionVector[] = []
  for (let index = 0; index < CASES_MAX; index += 1) {
    const vector = decisionVector(index, shelf)
    const { kind, reason = '' } = vector.decision as { kind: string; reason?: string }
    const count = counts.get(`${kind} ${reason}`) ?? 0
    if (count >= DECISIONS_PER_OUTCOME) continue
    counts.set(`${kind} ${reason}`, count + 1)
    cases.push(vector)
  }
  const releases = Object.fromEntries(shelf.others)
  return `{"releases":\n${JSON.stringify(releases)},\n"cases":\n${linesOf(cases)}}\n`
}

function decisionVector(index: number, shelf: Shelf): DecisionVector {
  const random = new RandomRollouts(SEED, index, shelf)
  const { release: members, rollout: terms } = random.offer()
  const version = JSON.stringify(members['version']).slice(1, -1)
  const manifest = manifestOf({ release: { ...membersOf(version), ...members }, rollout: terms })
  const facts = random.facts()
  const now = random.now()
  const decision = decide(manifest, facts, now, shelf.others)
  if (decision.kind === 'release-needed') throw new Error('a release that is not on the shelf')
  return {
    release: manifest.release,
    rollout: manifest.rollout,
    facts: plainFacts(facts),
    now,
    decision: plainDecision(decision),
  }
}

function plainFacts({ quarantine, policy, ...facts }: AgentFacts): PlainFacts {
  const { approved, ...rest } = policy ?? {}
  return {
    ...facts,
    quarantine: [...quarantine],
    ...(policy === undefined
      ? {}
      : { policy: { ...rest, ...(approved === undefined ? {} : { approved: [...approved] }) } }),
  }
}

export function factsFrom({ quarantine, policy = {}, ...facts }: PlainFacts): AgentFacts {
  const { approved, ...rest } = policy
  const hashes = approved === undefined ? {} : { approved: new Set(approved) }
  return { ...facts, quarantine: new Set(quarantine), policy: { ...rest, ...hashes } }
}

/** Of an installation the hash of what is installed stands for the rest. */
export function plainDecision(decision: Exclude<ReturnType<typeof decide>, { kind: 'release-needed' }>): object {
  const { kind, bucket, percent } = decision
  const binary = 'binary' in decision ? decision.binary : undefined
  const untilMs = decision.kind === 'wait' ? decision.untilMs : undefined
  return {
    kind,
    ...('reason' in decision ? { reason: decision.reason, version: decision.version } : {}),
    ...(binary === undefined ? {} : { sha256: binary.sha256 }),
    ...(untilMs === undefined ? {} : { untilMs, until: formatDate(untilMs) }),
    bucket,
    percent,
  }
}

function linesOf(items: readonly object[]): string {
  return `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]\n`
}
