import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { FleetFigures, ReleaseFigures } from '../../../fleet/fleet-figures.ts'
import { judge, type Verdict } from '../../../fleet/judge/judge.ts'
import type { JudgedRollout, JudgeTerms } from '../../../fleet/judge/terms.ts'
import { formatDate } from '../../../manifests/index.ts'
import { figuresOf, type Fleet, HOUR_MS, NOW, releaseOf, rolloutAt, TERMS } from './evidence-cases.ts'

const WELL: Fleet = { agents: 50, older: 950 }
const { lines: LINES } = figuresOf(WELL)

function verdictOf(
  fleet: Fleet,
  figures: Partial<FleetFigures> = {},
  rollout: Partial<JudgedRollout> = {},
  terms: Partial<JudgeTerms> = {},
): Verdict {
  return judge(figuresOf(fleet, figures), rolloutAt(fleet.percent ?? 5, rollout), { ...TERMS, ...terms }, NOW)
}

const codesOf = ({ reasons }: Verdict): string[] => reasons.map(({ code }) => code)

describe('the judge widens a rollout that goes well', () => {
  test('to the next of the steps, one at a time', () => {
    for (const [percent, toPercent] of [
      [1, 5],
      [5, 25],
      [25, 50],
      [26, 50],
      [50, 100],
    ] as const) {
      const verdict = verdictOf({ agents: 10 * percent + 20, older: 1000 - 10 * percent, percent })
      assert.equal(verdict.kind, 'widen', JSON.stringify(verdict))
      assert.equal(verdict.kind === 'widen' && verdict.toPercent, toPercent)
      assert.equal(verdict.percent, percent)
    }
  })

  test('also if it carries on the way back of a release before it', () => {
    assert.equal(verdictOf(WELL, {}, { rollback: ['1.0.5', '1.0.6'] }).kind, 'widen')
  })

  test('to the steps that it is given, and is complete at the last of them', () => {
    const toPercent = (percent: number): unknown => {
      const verdict = verdictOf({ agents: 1000, older: 30, percent }, {}, {}, { steps: [10, 30] })
      return verdict.kind === 'widen' ? verdict.toPercent : verdict.kind
    }
    assert.deepEqual([toPercent(5), toPercent(10), toPercent(30), toPercent(100)], [10, 30, 'complete', 'complete'])
  })

  test('with as many failures as are allowed, and not with one more', () => {
    const at = (failed: number): Verdict => verdictOf({ agents: 95, failed, older: 905 })
    assert.deepEqual([at(5).kind, at(6).kind], ['widen', 'halt'])
  })

  test('and holds one of a version that beacons have no room for, as others may begin alike', () => {
    const version = `1.1.0-${'long'.repeat(20)}`
    const older = releaseOf('1.0.0', { agents: 950 })
    const told = releaseOf(version.slice(0, 40), { agents: 50 })
    const verdict = verdictOf(WELL, { releases: [told, older] }, { version })
    assert.deepEqual([verdict.kind, codesOf(verdict)], ['hold', ['untold']])
    const failing = releaseOf(version.slice(0, 40), { agents: 40, rolledBack: 10 })
    assert.equal(verdictOf(WELL, { releases: [failing, older] }, { version }).kind, 'halt')
  })

  test('under names that leave agents the room to tell of it, and not under longer ones', () => {
    const under = (name: string, channel: string): Verdict => verdictOf(WELL, { name }, { name, channel })
    assert.equal(under('n'.repeat(64), 'stable').kind, 'widen')
    assert.deepEqual(codesOf(under('n'.repeat(64), 'c'.repeat(40))), ['untold'])
  })
})

describe('the judge halts', () => {
  const CASES: readonly (readonly [title: string, fleet: Fleet, code: string])[] = [
    ['when a tenth of many fail', { agents: 90, rolledBack: 10, older: 910 }, 'failure-rate'],
    ['when two of twenty fail', { agents: 18, rolledBack: 1, failed: 1, older: 382 }, 'failure-rate'],
    [
      'when all of the first three fail, before there are enough',
      { agents: 0, rolledBack: 3, older: 997 },
      'failure-rate',
    ],
    ['when agents go silent on it, and older ones do not', { agents: 80, silent: 20, older: 900 }, 'failure-rate'],
    ['when it tells of errors, and older ones do not', { agents: 100, erring: 20, older: 900 }, 'failure-rate'],
    ['when a single agent got other bytes', { agents: 100, hashMismatches: 1, older: 900 }, 'hash-mismatch'],
    ['at 100 percent, too', { agents: 900, rolledBack: 100, older: 100, percent: 100 }, 'failure-rate'],
  ]
  for (const [title, fleet, code] of CASES) {
    test(title, () => {
      const verdict = verdictOf(fleet)
      assert.deepEqual([verdict.kind, codesOf(verdict)], ['halt', [code]])
    })
  }

  test('for a hash mismatch that an agent tells of just now, whatever else it says', () => {
    assert.equal(verdictOf(WELL, { errors: [{ code: 'BYTES_HASH', agents: 1 }] }).kind, 'halt')
    assert.equal(verdictOf(WELL, { errors: [{ code: 'NETWORK_TIMEOUT', agents: 1 }] }).kind, 'widen')
  })

  test('before the soak is over, and on old logs: what they show has happened', () => {
    const bad: Fleet = { agents: 90, rolledBack: 10, older: 910 }
    assert.equal(verdictOf(bad, {}, { issued: formatDate(NOW - HOUR_MS) }).kind, 'halt')
    assert.equal(verdictOf(bad, { lastMs: NOW - 20 * HOUR_MS }).kind, 'halt')
  })

  test('not for what older agents do as often', () => {
    const kindOf = (fleet: Fleet): string => verdictOf(fleet).kind
    assert.equal(kindOf({ agents: 80, silent: 20, older: 720, olderSilent: 180 }), 'widen')
    assert.equal(kindOf({ agents: 100, erring: 20, older: 900, olderErring: 180 }), 'widen')
    assert.equal(kindOf({ agents: 80, silent: 20, older: 720, olderSilent: 80 }), 'halt')
  })

  test('not for one failure of the first few, which may be chance', () => {
    assert.equal(verdictOf({ agents: 4, rolledBack: 1, older: 95 }).kind, 'hold')
  })
})

describe('the judge holds', () => {
  const stage = (hours: number, percent: number) => ({ at: formatDate(NOW + hours * HOUR_MS), percent })
  const CASES: readonly (readonly [
    title: string,
    codes: string,
    figures: Partial<FleetFigures>,
    rollout: Partial<JudgedRollout>,
    fleet?: Fleet,
  ])[] = [
    ['what is paused', 'paused', {}, { isPaused: true }],
    ['what is at 0 percent', 'percent-zero', {}, { stages: [stage(-26, 0)] }],
    ['what has not begun', 'percent-zero', {}, { stages: [stage(5, 25)] }],
    ['a way back', 'way-back', {}, { rollback: ['1.2.0', '1.0.5'] }, { agents: 0, rolledBack: 50, older: 950 }],
    ['what agents refuse', 'refused', {}, { refused: 'the rollout statement has expired' }],
    ['what is widened by its dates', 'calendar', {}, { stages: [stage(-26, 5), stage(4, 25)] }],
    [
      'without a single poll',
      'no-data',
      { lines: { total: 9, polls: 0, others: 9, malformed: 0, damaged: 0, refused: 0, malformedExamples: [] } },
      {},
    ],
    [
      'when the newest line is old',
      'stale',
      { lastMs: NOW - 7 * HOUR_MS },
      { issued: formatDate(NOW - 47 * HOUR_MS), stages: [stage(-47, 5)] },
    ],
    ['when the logs are of the future', 'clock', { lastMs: NOW + HOUR_MS }, {}],
    ['when the rollout is of the future', 'clock soak', {}, { issued: formatDate(NOW + HOUR_MS) }],
    [
      'when many lines cannot be read',
      'malformed',
      { lines: { total: 100, polls: 90, others: 0, malformed: 6, damaged: 0, refused: 0, malformedExamples: [] } },
      {},
    ],
    ['when a log ends early', 'incomplete', { lines: { ...LINES, malformed: 1, damaged: 1 } }, {}],
    ['when not all polls found room', 'incomplete', { lines: { ...LINES, refused: 1 } }, {}],
    ['when the logs are those of another program', 'other-agent', { name: 'other' }, {}],
    ['a release that no agent speaks of', 'not-seen', { releases: [releaseOf('1.0.0', { agents: 1000 })] }, {}],
    ['when the stage is young', 'soak', {}, { stages: [stage(-20, 5)] }],
    ['when the statement is young: it was resumed, or changed', 'soak', {}, { issued: formatDate(NOW - 20 * HOUR_MS) }],
    ['when the logs begin after the stage', 'soak', { firstMs: NOW - 20 * HOUR_MS }, {}],
    ['when the logs have no polls over time', 'soak', { polls: [] }, {}],
    ['when too few run it', 'few-agents', {}, {}, { agents: 19, older: 100 }],
    ['when most are still on trial', 'few-agents adoption', {}, {}, { agents: 50, onTrial: 31, older: 950 }],
    ['when far fewer run it than the stage has in', 'adoption', {}, {}, { agents: 24, older: 976 }],
    [
      'when agents went silent on it, and nothing tells what is usual',
      'no-comparison',
      {},
      {},
      { agents: 900, silent: 100, older: 10, percent: 50 },
    ],
    [
      'when agents went silent on it, and most of the older ones too',
      'no-comparison',
      {},
      {},
      { agents: 400, silent: 100, older: 200, olderSilent: 300, percent: 50 },
    ],
  ]
  for (const [title, codes, figures, rollout, fleet = WELL] of CASES) {
    test(title, () => {
      const verdict = verdictOf(fleet, figures, rollout)
      assert.deepEqual([verdict.kind, codesOf(verdict)], ['hold', codes.split(' ')])
    })
  }

  test('a paused or halted rollout, however bad it is: that is done already', () => {
    const bad: Fleet = { agents: 0, rolledBack: 50, hashMismatches: 3, older: 950 }
    assert.deepEqual(codesOf(verdictOf(bad, {}, { isPaused: true })), ['paused'])
  })

  test('with all reasons at once, and until when it does so at the least', () => {
    const verdict = verdictOf(
      { agents: 3, older: 997 },
      {},
      { stages: [{ at: formatDate(NOW - 10 * HOUR_MS), percent: 5 }] },
    )
    assert.deepEqual(codesOf(verdict), ['soak', 'few-agents', 'adoption'])
    // The logs end half an hour ago, and show nine and a half hours.
    assert.equal(verdict.kind === 'hold' && verdict.untilMs, NOW + 14 * HOUR_MS)
    const dated = verdictOf(WELL, {}, { stages: [stage(-26, 5), stage(4, 25), stage(9, 50)] })
    assert.equal(dated.kind === 'hold' && dated.untilMs, NOW + 4 * HOUR_MS)
  })

  test('for as many hours longer as the logs have no poll of', () => {
    const { polls } = figuresOf(WELL)
    const withHole = (hours: number): FleetFigures['polls'] =>
      polls.map((poll, index) => (index >= 40 - hours && index < 40 ? { ...poll, polls: 0 } : poll))
    assert.equal(verdictOf(WELL, { polls: withHole(1) }).kind, 'widen')
    assert.deepEqual(codesOf(verdictOf(WELL, { polls: withHole(2) })), ['soak'])
  })

  test('figures of which one is missing', () => {
    const whole = figuresOf(WELL)
    const [release, older] = whole.releases
    assert.ok(release !== undefined && older !== undefined)
    let tried = 0
    for (const member of ['agents', 'rolledBack', 'failed', 'onTrial', 'silent', 'erring', 'hashMismatches'] as const) {
      tried += 1
      const broken: ReleaseFigures = { ...release, [member]: undefined as unknown as number }
      assert.equal(verdictOf(WELL, { releases: [broken, older] }).kind, 'hold', member)
    }
    for (const member of ['firstMs', 'lastMs'] as const) {
      tried += 1
      assert.equal(verdictOf(WELL, { [member]: Number.NaN }).kind, 'hold', member)
    }
    for (const member of ['total', 'polls', 'malformed'] as const) {
      tried += 1
      assert.equal(verdictOf(WELL, { lines: { ...whole.lines, [member]: Number.NaN } }).kind, 'hold', member)
    }
    assert.equal(verdictOf(WELL, { agents: { ...whole.agents, active: Number.NaN } }).kind, 'hold')
    assert.equal(tried, 12)
    assert.equal(verdictOf(WELL).kind, 'widen')
  })
})

test('each reason is a sentence with its figures, and data', () => {
  const { reasons } = verdictOf({ agents: 180, rolledBack: 17, failed: 3, older: 900 })
  assert.deepEqual(reasons, [
    {
      code: 'failure-rate',
      text: 'it failed on 10.0 % of 200 agents, more than 5 %: 17 rolled back, 3 could not install it',
      details: { rate: 0.1, troubled: 20, judged: 200 },
    },
  ])
})
