// What always holds of the decision, on random rollouts and agents.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

import {
  type AgentFacts,
  compareVersions,
  decide,
  type Decision,
  forecast,
  type Manifest,
  type ReleaseRef,
  type Rollout,
  type Stage,
  type Verified,
  parseDate,
} from '../../manifests/index.ts'
import { rulingFor } from '../../manifests/rule.ts'
import { courseOf } from '../../manifests/rollout-course.ts'
import { testSeed } from '../fuzz/random.ts'
import { makeShelf, manifestOf, RandomRollouts } from '../fuzz/random-rollouts.ts'

const DAY_MS = 86_400_000
const SHELF = makeShelf()

interface Question {
  readonly manifest: Verified<Manifest>
  readonly facts: AgentFacts
  readonly now: number
  readonly random: RandomRollouts
  readonly decision: Decision
}

/** What is wrong, `holds` where the property says something about the case and it is so, or undefined. */
type Property = (question: Question) => string | 'holds' | undefined

const ask = (manifest: Verified<Manifest>, facts: AgentFacts, now: number): Decision => {
  const decision = decide(manifest, facts, now, SHELF.others)
  if (decision.kind === 'release-needed') throw new Error('a release that is not on the shelf')
  return decision
}
const withRollout = (manifest: Verified<Manifest>, more: Partial<Rollout>): Verified<Manifest> => ({
  ...manifest,
  rollout: { ...manifest.rollout, ...more },
})
const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)
const says = (isRight: boolean, wrong: string): string => (isRight ? 'holds' : wrong)
const refsOf = ({ rollout }: Manifest): ReleaseRef[] =>
  [rollout.fallback, ...(rollout.rules ?? []).map(({ pin }) => pin)].filter((ref) => ref !== undefined)
const timesOf = ({ rollout }: Manifest): number[] =>
  [rollout, ...(rollout.rules ?? [])].flatMap(({ stages = [] }) => stages.map(({ at }) => parseDate(at) as number))
const hasWindows = ({ rollout }: Manifest, { policy }: AgentFacts): boolean =>
  policy?.windows !== undefined || rollout.rules?.some(({ windows }) => windows !== undefined) === true
const goesBackTo = ({ release, rollout }: Manifest, running = ''): boolean =>
  running !== '' && rollout.rollback?.includes(running) === true && compareVersions(release.version, running) < 0
const isForced = ({ release: { version, min_version: minimum } }: Manifest, running = ''): boolean =>
  running !== '' &&
  minimum !== undefined &&
  compareVersions(running, minimum) < 0 &&
  compareVersions(minimum, version) <= 0

const PROPERTIES: Readonly<Record<string, Property>> = {
  'who is in at some percent is in at every larger one, and not later'({ manifest, facts, now, random, decision }) {
    const more = 1 + random.below(60)
    const wider = (stages: readonly Stage[]) =>
      stages.map(({ at, percent }) => ({ at, percent: Math.min(100, percent + more) }))
    const rules = manifest.rollout.rules?.map((rule) =>
      rule.stages === undefined ? rule : { ...rule, stages: wider(rule.stages) },
    )
    const stages = wider(manifest.rollout.stages)
    const then = ask(withRollout(manifest, { stages, ...(rules && { rules }) }), facts, now)
    if (decision.kind === 'install' && (decision.reason === 'newer' || decision.reason === 'first'))
      return says(then.kind === 'install' && then.reason === decision.reason, 'out at a larger percent')
    if (decision.kind !== 'wait' || decision.reason !== 'stage' || then.kind !== 'wait' || then.reason !== 'stage')
      return undefined
    return says((then.untilMs ?? Infinity) <= (decision.untilMs ?? Infinity), 'later at a larger percent')
  },

  'within a stage the answer stays the same'({ manifest, facts, now, random, decision }) {
    if (hasWindows(manifest, facts)) return undefined
    const later = now + random.below(6 * 3_600_000)
    const course = courseOf(manifest, facts, now)
    const ends = [...timesOf(manifest), course.kind === 'held' ? (course.untilMs ?? Infinity) : Infinity]
    if (ends.some((end) => now < end && end <= later)) return undefined
    return says(isSame(ask(manifest, facts, later), decision), 'another answer later')
  },

  'min_version moves every older agent, unless it is paused or the release cannot run there'(question) {
    const { manifest, facts, decision } = question
    const { release, rollout } = manifest
    if (!isForced(manifest, facts.running)) return undefined
    if (rollout.paused === true) return says(!isOffered(decision, release.version), 'installs what is paused')
    const binary = release.binaries[facts.platform]
    const canRun =
      binary !== undefined &&
      !facts.quarantine.has(binary.sha256) &&
      compareVersions(release.version, facts.rollbackFloor ?? '0.0.0-0') >= 0
    const isMoved = decision.kind === 'install' && decision.reason === 'forced' && decision.binary === binary
    return says(canRun ? isMoved : decision.kind === 'refuse', 'left behind')
  },

  'nothing below the floor, in quarantine or for another platform is installed'({ facts, decision }) {
    if (decision.kind !== 'install') return undefined
    const { release, binary, version } = decision
    if (facts.quarantine.has(binary.sha256)) return 'in quarantine'
    if (release.binaries[facts.platform] !== binary || release.version !== version) return 'of another release'
    return says(compareVersions(version, facts.rollbackFloor ?? '0.0.0-0') >= 0, 'below the floor')
  },

  'a pause brings nobody the release, takes nobody back, and leaves alone who is there'(question) {
    const { manifest, facts, now, decision } = question
    const paused = ask(withRollout(manifest, { paused: true }), facts, now)
    if (decision.kind === 'up-to-date') return says(paused.kind === 'up-to-date', 'not left alone')
    if (paused.kind !== 'install') return 'holds'
    if (paused.release === manifest.release) return 'installed'
    const isBack = facts.running !== undefined && compareVersions(paused.version, facts.running) < 0
    const mustLeave = (manifest.rollout.rollback ?? []).includes(facts.running ?? '')
    return says(!isBack || paused.reason === 'pinned' || mustLeave, 'went back')
  },

  'a hold holds, but for what is forced or known to be bad'({ manifest, facts, decision }) {
    if (rulingFor(manifest.rollout.rules, facts).move?.hold !== true) return undefined
    if (isForced(manifest, facts.running) || goesBackTo(manifest, facts.running)) return undefined
    return says(decision.kind !== 'install', 'installed')
  },

  'only a release of the manifest or of a reference in it is installed, or asked for'({
    manifest,
    facts,
    now,
    decision,
  }) {
    const refs = refsOf(manifest)
    const needed = decide(manifest, facts, now)
    if (needed.kind === 'release-needed' && !refs.includes(needed.ref)) return 'asks for another'
    if (decision.kind !== 'install') return undefined
    const known = [manifest.release, ...refs.map((ref) => SHELF.others.get(ref.release))]
    return says(known.includes(decision.release), 'installs another')
  },

  'a wait with an end ends in the future, and is another one then'({ manifest, facts, now, decision }) {
    if (decision.kind !== 'wait' || decision.untilMs === undefined) return undefined
    if (decision.untilMs <= now) return 'ended before it began'
    return says(!isSame(ask(manifest, facts, decision.untilMs), decision), 'the same wait at its end')
  },

  'the forecast is the first time that the decision is to install'({ manifest, facts, now, random, decision }) {
    const foreseen = forecast(manifest, facts, now, SHELF.others)
    if ('ref' in foreseen) return 'needs a release'
    const { decision: first, move } = foreseen
    if (!isSame(first, decision)) return 'begins with another decision'
    const endMs = move?.atMs ?? now + 9 * DAY_MS
    if (endMs < now) return 'in the past'
    const between = now + random.below(endMs - now)
    if (between < endMs && ask(manifest, facts, between).kind === 'install') return 'installs before'
    return move === undefined
      ? 'holds'
      : says(isSame(ask(manifest, facts, endMs), move.decision), 'does not install then')
  },

  'agents come to rest, and nobody goes back to a version that this manifest took him from'(question) {
    const { manifest, facts, now, random } = question
    const ran = facts.running === undefined ? [] : [facts.running]
    let { decision } = question
    for (let timeMs = now; decision.kind === 'install'; timeMs += random.below(DAY_MS)) {
      if (ran.includes(decision.version)) return `goes to and fro: ${ran.join(', ')}, ${decision.version}`
      ran.push(decision.version)
      decision = ask(manifest, { ...facts, running: decision.version }, timeMs)
    }
    return ran.length > 1 ? 'holds' : undefined
  },

  'the same question has the same answer'({ manifest, facts, now, decision }) {
    return says(isSame(ask(structuredClone(manifest), facts, now), decision), 'another answer')
  },
}

function isOffered(decision: Decision, version: string): boolean {
  return decision.kind === 'install' && decision.version === version && decision.reason !== 'held-back'
}

/** @param cases how many, each by the seed of the run and its number */
export async function assertProperties(t: TestContext, cases: number): Promise<void> {
  const seed = testSeed()
  t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
  const held = new Map(Object.keys(PROPERTIES).map((name) => [name, 0]))
  const outcomes = new Map<string, number>()
  for (let index = 0; index < cases; index += 1) {
    const random = new RandomRollouts(seed, index, SHELF)
    const manifest = manifestOf(random.offer())
    const facts = random.facts()
    const now = random.now()
    const decision = ask(manifest, facts, now)
    const outcome = 'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    for (const [name, property] of Object.entries(PROPERTIES)) {
      const verdict = property({ manifest, facts, now, random, decision })
      if (verdict === undefined) continue
      if (verdict === 'holds') held.set(name, (held.get(name) ?? 0) + 1)
      else {
        const { rollout, release } = manifest
        const told = { now, decision, facts: { ...facts, quarantine: [...facts.quarantine] }, rollout, release }
        assert.fail(`${verdict}: ${name}; seed ${seed}, case ${index}\n${JSON.stringify(told)}`)
      }
    }
  }
  for (const [name, times] of held) await t.test(`${name} (${times} of them)`, () => assert.ok(times > cases / 500))
  await t.test('come to every outcome that there is', () => {
    t.diagnostic(JSON.stringify(Object.fromEntries(outcomes)))
    assert.equal(outcomes.size, 1 + 6 + 5 + 5)
  })
}
