// Whatever the fleet: missing data never widens, and more trouble never makes a verdict milder.

import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import type { FleetFigures, ReleaseFigures } from '../../../fleet/fleet-figures.ts'
import { judge, type Verdict } from '../../../fleet/judge/judge.ts'
import { Random, testSeed } from '../../fuzz/random.ts'
import { figuresOf, type Fleet, NOW, rolloutAt, TERMS } from './evidence-cases.ts'

const CASES = 2000
const PERCENTS = [1, 5, 25, 50, 100]
const SEVERITY = { widen: 0, complete: 0, hold: 1, halt: 2 } as const
type Counts = Required<Fleet>

/** Small and large fleets, most of them nearly well, so that verdicts of each kind come up. */
function randomFleet(random: Random): Counts {
  const size = random.pick([30, 100, 400, 3000])
  const percent = random.pick(PERCENTS)
  const agents = Math.round((size * percent) / 100)
  const some = (most: number): number => (random.once(3) ? 0 : random.below(most + 1))
  const rolledBack = Math.min(agents, some(3))
  // At times just about enough older ones to compare with.
  const isSparse = random.once(4)
  const older = isSparse ? TERMS.minAgents - 2 + random.below(4) + rolledBack : size - agents + rolledBack
  return {
    percent,
    agents: agents - rolledBack,
    onTrial: Math.min(agents - rolledBack, some(3)),
    rolledBack,
    failed: Math.min(older - rolledBack, some(3)),
    silent: some(agents / 10),
    erring: Math.min(agents - rolledBack, some(agents / 10)),
    hashMismatches: random.once(20) ? 1 : 0,
    older,
    olderSilent: isSparse ? random.below(older) : some(older / 5),
    olderErring: Math.min(older, some(older / 5)),
  }
}

/** One more agent in trouble with the release. Undefined where there is none that could be. */
const TROUBLES: Readonly<Record<string, (fleet: Counts) => Partial<Counts> | undefined>> = {
  'rolls it back': ({ agents, onTrial, erring, rolledBack, older }) =>
    agents > Math.max(onTrial, erring)
      ? { agents: agents - 1, rolledBack: rolledBack + 1, older: older + 1 }
      : undefined,
  'rolls it back and tells of an error': ({ agents, onTrial, erring, rolledBack, older, olderErring }) =>
    agents > Math.max(onTrial, erring)
      ? { agents: agents - 1, rolledBack: rolledBack + 1, older: older + 1, olderErring: olderErring + 1 }
      : undefined,
  'rolls it back from its trial': ({ agents, onTrial, erring, rolledBack, older }) =>
    onTrial > 0 && agents > erring
      ? { agents: agents - 1, onTrial: onTrial - 1, rolledBack: rolledBack + 1, older: older + 1 }
      : undefined,
  'cannot install it': ({ older, failed, rolledBack }) =>
    older > failed + rolledBack ? { failed: failed + 1 } : undefined,
  'cannot install it and tells of an error': ({ older, olderErring, failed, rolledBack }) =>
    older > failed + rolledBack && older > olderErring
      ? { failed: failed + 1, olderErring: olderErring + 1 }
      : undefined,
  'goes silent on it': ({ agents, onTrial, erring, silent }) =>
    agents > Math.max(onTrial, erring) ? { agents: agents - 1, silent: silent + 1 } : undefined,
  'tells of an error on it': ({ agents, erring }) => (agents > erring ? { erring: erring + 1 } : undefined),
  'gets other bytes': ({ hashMismatches }) => ({ hashMismatches: hashMismatches + 1 }),
}

function verdictOf(fleet: Counts, change: (figures: FleetFigures) => FleetFigures = (figures) => figures): Verdict {
  return judge(change(figuresOf(fleet)), rolloutAt(fleet.percent), TERMS, NOW)
}

function forRandomFleets(t: TestContext, check: (fleet: Counts, verdict: Verdict, seed: string) => void): void {
  const seed = testSeed()
  t.diagnostic(`MOULT_TEST_SEED=${seed}`)
  const kinds = new Map<string, number>()
  for (let index = 0; index < CASES; index++) {
    const fleet = randomFleet(new Random(seed, index))
    const verdict = verdictOf(fleet)
    kinds.set(verdict.kind, (kinds.get(verdict.kind) ?? 0) + 1)
    check(fleet, verdict, `MOULT_TEST_SEED=${seed}, case ${index}`)
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(kinds)))
  for (const kind of Object.keys(SEVERITY)) assert.ok((kinds.get(kind) ?? 0) > CASES / 100, `hardly ever ${kind}`)
}

test('one more agent in trouble never makes the verdict milder', (t) => {
  forRandomFleets(t, (fleet, verdict, seed) => {
    for (const [trouble, change] of Object.entries(TROUBLES)) {
      const members = change(fleet)
      if (members === undefined) continue
      const worse = verdictOf({ ...fleet, ...members })
      const about = (): string =>
        `${seed}: ${verdict.kind}, and ${worse.kind} when one more ${trouble}: ${JSON.stringify({ fleet, worse })}`
      assert.ok(SEVERITY[worse.kind] >= SEVERITY[verdict.kind], about())
    }
  })
})

const withoutMember = (version: string, member: keyof ReleaseFigures) => (figures: FleetFigures) => ({
  ...figures,
  releases: figures.releases.map((one) => (one.version === version ? { ...one, [member]: Number.NaN } : one)),
})

/** Each takes one thing away that a verdict rests on. */
const LOSSES: readonly ((figures: FleetFigures) => FleetFigures)[] = [
  ...(['agents', 'onTrial', 'rolledBack', 'failed', 'silent', 'erring', 'hashMismatches'] as const).map((member) =>
    withoutMember('1.1.0', member),
  ),
  (figures) => ({ ...figures, releases: [] }),
  (figures) => ({ ...figures, releases: figures.releases.filter(({ version }) => version !== '1.1.0') }),
  (figures) => ({ ...figures, polls: [] }),
  (figures) => ({ ...figures, polls: figures.polls.map((poll) => ({ ...poll, polls: 0 })) }),
  (figures) => ({ ...figures, polls: figures.polls.slice(0, 30), lastMs: figures.firstMs + 30 * 3_600_000 }),
  (figures) => ({ ...figures, lines: { ...figures.lines, polls: 0 } }),
  (figures) => ({ ...figures, lines: { ...figures.lines, malformed: figures.lines.total / 10 } }),
  (figures) => ({ ...figures, firstMs: Number.NaN }),
  (figures) => ({ ...figures, lastMs: Number.NaN }),
  (figures) => ({ ...figures, lastMs: NOW + 3_600_000 }),
  (figures) => ({ ...figures, firstMs: NOW - 3_600_000 }),
  (figures) => ({ ...figures, name: '' }),
  (figures) => ({ ...figures, agents: { ...figures.agents, active: 0 } }),
]

test('without any one of the figures it never widens', (t) => {
  forRandomFleets(t, (fleet, _verdict, seed) => {
    for (const [index, loss] of LOSSES.entries()) {
      const { kind } = verdictOf(fleet, loss)
      assert.ok(kind === 'hold' || kind === 'halt', `${seed}: ${kind} after loss ${index}: ${JSON.stringify(fleet)}`)
    }
  })
})
