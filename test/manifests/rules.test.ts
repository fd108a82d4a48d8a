// What the publisher lays down for some agents: SPEC.md, "Rules" and the rows of "Decision" that speak of them.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  type AgentFacts,
  decide,
  isMoultError,
  rulingFor,
  type RuleMatch,
  verifyManifest,
} from '../../manifests/index.ts'
import { makeManifest, NOW_MS, type Overrides } from '../fixtures/signed-manifest.ts'
import { AT, BEFORE, type Case, decideCase, EARLY, factsOf, NEXT, offer, OLD, percent, table } from './decide-cases.ts'

const rule = (...rules: Overrides[]): Overrides => ({ rules: rules as never })
const hold = { hold: true }
const nobody = percent(0)
const everybody = { stages: percent(100).stages }

describe('a rule is for the agents', () => {
  const matches = (match: RuleMatch, facts: Partial<AgentFacts>): boolean =>
    rulingFor([{ match, hold: true }], factsOf(facts)).move !== undefined
  const rows: readonly (readonly [string, RuleMatch, Partial<AgentFacts>, boolean])[] = [
    ['all of them, without a condition', {}, {}, true],
    ['with the label', { labels: { ring: ['canary'] } }, { labels: { ring: 'canary' } }, true],
    ['with one of the values', { labels: { ring: ['beta', 'canary'] } }, { labels: { ring: 'canary' } }, true],
    ['and not with another value', { labels: { ring: ['canary'] } }, { labels: { ring: 'canary2' } }, false],
    ['and not with another label', { labels: { ring: ['canary'] } }, { labels: { tier: 'canary' } }, false],
    ['and not without labels', { labels: { ring: ['canary'] } }, {}, false],
    ['with every label', { labels: { a: ['1'], b: ['2'] } }, { labels: { a: '1', b: '2', c: '3' } }, true],
    ['and not with some of the labels', { labels: { a: ['1'], b: ['2'] } }, { labels: { a: '1' } }, false],
    ['with one of the ids', { ids: ['agent-0', 'agent-1'] }, {}, true],
    ['and not with a part of an id', { ids: ['agent-10', 'agent', 'AGENT-1'] }, {}, false],
    ['of a platform', { platforms: ['darwin-arm64', 'linux-amd64'] }, {}, true],
    ['and not of another platform', { platforms: ['linux-arm64'] }, {}, false],
    ['with a version in one of the ranges', { versions: ['<1.0.0', '>=1.4.0 <1.5.0'] }, {}, true],
    ['and not with another version', { versions: ['<1.4.1', '>1.4.1'] }, {}, false],
    ['and of no version with nothing installed', { versions: ['>=0.0.0-0'] }, { running: undefined }, false],
    [
      'for which every condition holds',
      { ids: ['agent-1'], platforms: ['linux-amd64'], versions: ['1.4.1'] },
      {},
      true,
    ],
    ['and not for those of some of them', { ids: ['agent-1'], platforms: ['linux-arm64'] }, {}, false],
  ]
  for (const [name, match, facts, expected] of rows) test(name, () => assert.equal(matches(match, facts), expected))

  test('and a label named like a member of every object is one that they lack', () => {
    for (const name of ['constructor', 'tostring', '__proto__'])
      assert.equal(matches({ labels: { [name]: ['x'] } }, { labels: {} }), false, name)
  })
})

describe('of each thing the first rule that speaks of it decides', () => {
  const flag = (value: string) => ({ shares: [{ value, percent: 100 }] })
  const window = (start: string) => [{ start, end: '23:00' }]
  const ruling = rulingFor(
    [
      { match: { ids: ['another'] }, hold: true, windows: window('00:00'), flags: { a: flag('another') } },
      { match: {}, windows: window('01:00') },
      { match: {}, hold: false, flags: { a: flag('first') } },
      { match: {}, stages: [{ at: '2026-11-21T02:00:00Z', percent: 7 }], windows: window('02:00') },
      { match: {}, hold: true, flags: { a: flag('late'), b: flag('second') } },
    ],
    factsOf(),
  )
  test('what the agent gets; `hold` false says nothing', () => assert.equal(ruling.move?.stages?.[0]?.percent, 7))
  test('the windows', () => assert.deepEqual(ruling.windows, window('01:00')))
  test('each flag by its name', () => assert.deepEqual(ruling.flags, { a: flag('first'), b: flag('second') }))
})

describe('a rule with stages', () => {
  table([
    ['lets its agents in', { rollout: { ...nobody, ...rule({ match: {}, ...everybody }) } }, 'install newer'],
    ['keeps its agents out', { rollout: rule({ match: {}, ...nobody }) }, 'wait stage'],
    ['says nothing to others', { rollout: rule({ match: { ids: ['agent-2'] }, ...nobody }) }, 'install newer'],
    ['does not overrule a pause', { rollout: { paused: true, ...rule({ match: {}, ...everybody }) } }, 'wait paused'],
    [
      'is capped by the host',
      { facts: { policy: { percentCap: 10 } }, rollout: rule({ match: {}, ...everybody }) },
      'wait stage',
    ],
  ])
})

describe('a rule with a hold', () => {
  const held = rule({ match: {}, ...hold })
  table([
    ['holds an update', { rollout: held }, 'wait hold'],
    ['holds one that is paused, too', { rollout: { ...held, paused: true } }, 'wait hold'],
    ['holds a machine with nothing on it', { facts: { running: undefined }, rollout: held }, 'wait hold'],
    ['gives no fallback', { facts: { running: '1.2.0' }, rollout: { ...held, fallback: OLD.ref } }, 'wait hold'],
    ['leaves alone who is there', { facts: { running: '1.4.2' }, rollout: held }, 'up-to-date'],
    ['holds no forced update', { release: { min_version: '1.4.2' }, rollout: held }, 'install forced'],
    [
      'holds no way back',
      { facts: { running: '1.5.0' }, rollout: { ...held, rollback: ['1.5.0'] } },
      'install rollback',
    ],
    ['that is false holds nothing', { rollout: rule({ match: {}, hold: false }) }, 'install newer'],
  ])
})

describe('a rule with a pin', () => {
  const pin = (ref: object): Overrides => rule({ match: {}, pin: ref as never })
  const hash = (platform: string): string => OLD.release.binaries[platform]?.sha256 ?? ''
  table([
    ['takes an agent back', { rollout: pin(OLD.ref) }, 'install pinned 1.3.0'],
    ['takes an agent on', { rollout: pin(NEXT.ref) }, 'install pinned 1.5.0'],
    ['does not ask stages', { rollout: { ...pin(OLD.ref), ...nobody } }, 'install pinned 1.3.0'],
    ['goes on while the release is paused', { rollout: { ...pin(OLD.ref), paused: true } }, 'install pinned 1.3.0'],
    ['keeps who is there', { rollout: pin(BEFORE.ref) }, 'up-to-date'],
    [
      'keeps who is there with other build metadata',
      { facts: { running: '1.3.0+2' }, rollout: pin(OLD.ref) },
      'up-to-date',
    ],
    [
      'keeps who is there from the offered release',
      { facts: { running: '1.5.0' }, rollout: pin(NEXT.ref) },
      'up-to-date',
    ],
    [
      'takes back who has the offered release',
      { facts: { running: '1.4.2' }, rollout: pin(OLD.ref) },
      'install pinned 1.3.0',
    ],
    [
      'is for a machine with nothing on it',
      { facts: { running: undefined }, rollout: pin(OLD.ref) },
      'install pinned 1.3.0',
    ],
    ['ends at the floor', { facts: { rollbackFloor: '1.3.1' }, rollout: pin(OLD.ref) }, 'refuse below-floor 1.3.0'],
    ['reaches the floor', { facts: { rollbackFloor: '1.3.0' }, rollout: pin(OLD.ref) }, 'install pinned 1.3.0'],
    [
      'does not bring failed bytes back',
      { facts: { quarantine: new Set([hash('linux-amd64')]) }, rollout: pin(OLD.ref) },
      'refuse quarantined 1.3.0',
    ],
    ['needs a binary', { facts: { platform: 'linux-arm64' }, rollout: pin(OLD.ref) }, 'refuse no-platform 1.3.0'],
    [
      'to a version that the host does not want',
      { facts: { policy: { pin: '>=1.4.0' } }, rollout: pin(OLD.ref) },
      'refuse host-pin',
    ],
    [
      'to one that the host does not want gives no fallback',
      {
        facts: { running: '1.2.0', policy: { pin: '<1.4.2 >=1.4.0' } },
        rollout: { ...pin(OLD.ref), fallback: BEFORE.ref },
      },
      'refuse host-pin',
    ],
    [
      'to one that the host wants',
      { facts: { policy: { pin: '1.3.0' } }, rollout: pin(OLD.ref) },
      'install pinned 1.3.0',
    ],
    [
      'waits for approval',
      { facts: { policy: { approved: new Set() } }, rollout: pin(OLD.ref) },
      'wait approval 1.3.0',
    ],
    [
      'takes approval of its own bytes',
      { facts: { policy: { approved: new Set([hash('linux-amd64')]) } }, rollout: pin(OLD.ref) },
      'install pinned 1.3.0',
    ],
    ['waits for a forced update', { release: { min_version: '1.4.2' }, rollout: pin(NEXT.ref) }, 'install forced'],
    [
      'below the minimum does not count: nobody goes to and fro',
      { facts: { running: '1.4.2' }, release: { min_version: '1.4.0' }, rollout: pin(OLD.ref) },
      'up-to-date',
    ],
    [
      'below the minimum leaves an agent to the rollout',
      { release: { min_version: '1.4.0' }, rollout: { ...pin(OLD.ref), ...nobody } },
      'wait stage',
    ],
    ['at the minimum counts', { release: { min_version: '1.3.0' }, rollout: pin(OLD.ref) }, 'install pinned 1.3.0'],
    [
      'to a version that has to go back does not count',
      { facts: { running: '1.4.2' }, rollout: { ...pin(NEXT.ref), rollback: ['1.5.0'] } },
      'up-to-date',
    ],
    [
      'to a version that has to be left for the fallback does not count',
      { facts: { running: '1.3.0' }, rollout: { ...pin(BEFORE.ref), ...nobody, rollback: ['1.4.1'] } },
      'wait stage',
    ],
  ])

  const back = (...more: Overrides[]) => rule({ match: { versions: ['>=1.4.0'] }, pin: OLD.ref }, ...more)
  const there = { match: { versions: ['1.3.0'] } }
  describe('to an older version', () => {
    table([
      ['that no rule keeps them at does not count', { rollout: { ...back(), ...nobody } }, 'wait stage'],
      ['that a rule brings them away from does not', { rollout: back({ ...there, pin: NEXT.ref }) }, 'install newer'],
      ['that a rule with stages is for does not', { rollout: back({ ...there, ...nobody }) }, 'install newer'],
      ['where a rule holds them counts', { rollout: back({ ...there, hold: true }) }, 'install pinned 1.3.0'],
      ['where a rule pins them counts', { rollout: back({ ...there, pin: OLD.ref }) }, 'install pinned 1.3.0'],
      ['that is offered to all counts', { release: { version: '1.3.0' }, rollout: back() }, 'install pinned'],
      [
        'counts for who comes from below, step by step',
        { facts: { running: '1.2.0' }, rollout: rule({ match: { versions: ['<1.3.0'] }, pin: OLD.ref }) },
        'install pinned 1.3.0',
      ],
    ])
  })

  test('to the release of the manifest does not pass the brake', () => {
    const itself = { version: '1.4.2', release: offer({}).releaseDigest, url: 'releases/1.4.2.json' }
    const paused = offer({ rollout: { ...pin(itself), paused: true } })
    const decision = decide(paused, factsOf(), NOW_MS)
    assert.ok(decision.kind === 'wait' && decision.reason === 'paused')
    assert.equal(decide(paused, factsOf({ running: '1.4.2' }), NOW_MS).kind, 'up-to-date')
    assert.equal(decide(offer({ rollout: pin(itself) }), factsOf(), NOW_MS).kind, 'release-needed')
  })

  test('asks for the release, by its digest, until that is there', () => {
    const manifest = offer({ rollout: pin(OLD.ref) })
    assert.deepEqual(decide(manifest, factsOf(), NOW_MS), {
      kind: 'release-needed',
      ref: OLD.ref,
      reason: 'pinned',
    })
    const others = new Map([[OLD.ref.release, OLD.release]])
    const decision = decide(manifest, factsOf(), NOW_MS, others)
    assert.ok(decision.kind === 'install' && decision.release === OLD.release)
    assert.equal(decision.binary, OLD.release.binaries['linux-amd64'])
  })
})

describe('the pin of a host', () => {
  const pinned = (pin: string, more: Partial<AgentFacts> = {}) => ({ ...more, policy: { pin } })
  table([
    ['lets in what it has', { facts: pinned('>=1.4.0 <2.0.0') }, 'install newer'],
    ['refuses what it has not', { facts: pinned('1.4.1') }, 'refuse host-pin'],
    ['refuses on a machine with nothing on it', { facts: pinned('1.4.1', { running: undefined }) }, 'refuse host-pin'],
    ['does not hold a forced update', { facts: pinned('1.4.1'), release: { min_version: '1.4.2' } }, 'install forced'],
    [
      'does not hold a way back',
      { facts: pinned('1.5.0', { running: '1.5.0' }), rollout: { rollback: ['1.5.0'] } },
      'install rollback',
    ],
    [
      'takes the fallback that it has',
      { facts: pinned('<1.4.0', { running: '1.2.0' }), rollout: { fallback: OLD.ref } },
      'install held-back 1.3.0',
    ],
    [
      'takes no fallback that it has not',
      { facts: pinned('<1.3.0', { running: '1.2.0' }), rollout: { fallback: OLD.ref } },
      'refuse host-pin',
    ],
    ['comes after a pause', { facts: pinned('1.4.1'), rollout: { paused: true } }, 'wait paused'],
  ])
})

describe('the fallback', () => {
  const fallback = { fallback: OLD.ref }
  const out = { ...nobody, ...fallback }
  const older = { running: '1.2.0' }
  const empty = { running: undefined }
  const linux = OLD.release.binaries['linux-amd64']?.sha256 ?? ''
  const gone = new Map([[OLD.ref.release, undefined]])
  table([
    ['is for who is not in the stage yet', { facts: older, rollout: out }, 'install held-back 1.3.0'],
    [
      'is for who waits for the end of a pause',
      { facts: older, rollout: { paused: true, ...fallback } },
      'install held-back 1.3.0',
    ],
    ['is not for who has a newer one', { rollout: out }, 'wait stage'],
    ['is not for who has it', { facts: { running: '1.3.0' }, rollout: out }, 'wait stage'],
    ['is not for who gets the release', { facts: older, rollout: fallback }, 'install newer'],
    ['is for a new machine outside of the stage', { facts: empty, rollout: out }, 'install held-back 1.3.0'],
    [
      'is not for a new machine where it would have to go at once',
      { facts: empty, release: { min_version: '1.4.0' }, rollout: out },
      'install first',
    ],
    [
      'is for a new machine where nobody is forced away from it',
      { facts: empty, release: { min_version: '1.3.0' }, rollout: out },
      'install held-back 1.3.0',
    ],
    [
      'is for a new machine while the minimum is paused',
      { facts: empty, release: { min_version: '1.4.0' }, rollout: { ...out, paused: true } },
      'install held-back 1.3.0',
    ],
    ['is none that has to be left', { facts: older, rollout: { ...out, rollback: ['1.3.0'] } }, 'wait stage'],
    ['is not for a new machine inside', { facts: empty, rollout: fallback }, 'install first'],
    [
      'is for a new machine beyond the cap of its host',
      { facts: { ...empty, policy: { percentCap: 1 } }, rollout: fallback },
      'install held-back 1.3.0',
    ],
    [
      'is not for who is beyond the cap of the host',
      { facts: { ...older, policy: { percentCap: 1 } }, rollout: fallback },
      'wait stage',
    ],
    ['is not for who is forced', { facts: older, release: { min_version: '1.4.0' }, rollout: out }, 'install forced'],
    ['ends at the floor', { facts: { ...empty, rollbackFloor: '1.4.0' }, rollout: out }, 'wait stage'],
    [
      'does not bring failed bytes back',
      { facts: { ...older, quarantine: new Set([linux]) }, rollout: out },
      'wait stage',
    ],
    [
      'waits for approval',
      { facts: { ...older, policy: { approved: new Set() } }, rollout: out },
      'wait approval 1.3.0',
    ],
    ['that cannot be had is passed over', { facts: older, rollout: out, others: gone }, 'wait stage'],
    [
      'waits for the window',
      { facts: { ...older, policy: { windows: [{ start: '04:00', end: '05:00', timezone: 'UTC' }] } }, rollout: out },
      'wait window 1.3.0',
    ],
  ])
})

describe('windows of a rule', () => {
  const windows = (start: string, end: string, more: object = {}) =>
    rule({ match: {}, windows: [{ start, end, ...more }] as never })
  const host = (start: string, end: string) => ({ policy: { windows: [{ start, end, timezone: 'UTC' }] } })
  // It is Sunday, 22 November 2026, 02:00 in UTC.
  const untilOf = (given: Case): number | undefined => {
    const decision = decideCase(given)
    return decision.kind === 'wait' && decision.reason === 'window' ? decision.untilMs : assert.fail(decision.kind)
  }
  table([
    ['let an update in while one is open', { rollout: windows('02:00', '03:00') }, 'install newer'],
    ['hold it while none is', { rollout: windows('03:00', '04:00') }, 'wait window'],
    [
      'hold it although those of the host are open',
      { facts: host('01:00', '05:00'), rollout: windows('03:00', '04:00') },
      'wait window',
    ],
    [
      'do not open those of the host',
      { facts: host('03:00', '04:00'), rollout: windows('01:00', '05:00') },
      'wait window',
    ],
    [
      'let in while both are open',
      { facts: host('01:00', '03:00'), rollout: windows('02:00', '04:00') },
      'install newer',
    ],
    [
      'hold no forced update',
      { release: { min_version: '1.4.2' }, rollout: windows('03:00', '04:00') },
      'install forced',
    ],
    [
      'hold no machine with nothing on it',
      { facts: { running: undefined }, rollout: windows('03:00', '04:00') },
      'install first',
    ],
    [
      'are those of the zone of the machine',
      { facts: { timezone: 'Europe/Berlin' }, rollout: windows('03:00', '04:00') },
      'install newer',
    ],
    [
      'are those of the zone that they name',
      { facts: { timezone: 'Europe/Berlin' }, rollout: windows('03:00', '04:00', { timezone: 'UTC' }) },
      'wait window',
    ],
    ['are UTC where the machine has no zone', { rollout: windows('02:00', '04:00') }, 'install newer'],
    ['keep to their days', { rollout: windows('02:00', '04:00', { days: ['sat'] }) }, 'wait window'],
    [
      'of an unknown zone never open',
      { rollout: windows('00:00', '00:00', { timezone: 'Mars/Olympus' }) },
      'wait window',
    ],
  ])

  test('and of the host: the wait ends when both are open', () => {
    const both = { facts: host('05:00', '08:00'), rollout: windows('07:00', '10:00') }
    assert.equal(untilOf(both), AT('2026-11-22T07:00:00Z'))
    assert.equal(untilOf({ facts: host('05:00', '06:00'), rollout: windows('07:00', '10:00') }), undefined)
    const monday = { facts: host('05:00', '08:00'), rollout: windows('00:00', '00:00', { days: ['mon'] }) }
    assert.equal(untilOf(monday), AT('2026-11-23T05:00:00Z'))
    assert.equal(untilOf({ rollout: windows('00:00', '00:00', { timezone: 'Mars/Olympus' }) }), undefined)
  })
})

describe('the spread', () => {
  // The places of agent-1 and agent-2 under this salt are 0.18 and 0.87; the stage began a day ago.
  const spread = (text: string, more: Overrides = {}) => ({ spread: text, ...more })
  const begin = AT('2026-11-21T02:00:00Z')
  test('gives each agent a time of its own within the stage', () => {
    const decision = decideCase({ rollout: spread('200h') })
    assert.ok(decision.kind === 'wait' && decision.untilMs !== undefined)
    const { untilMs } = decision
    assert.ok(untilMs > begin && untilMs < begin + 200 * 3_600_000)
    const at = (now: number) => decideCase({ rollout: spread('200h'), now }).kind
    assert.deepEqual([at(untilMs - 1), at(untilMs)], ['wait', 'install'])
    const other = decideCase({ rollout: spread('200h'), facts: EARLY })
    assert.notEqual('untilMs' in other ? other.untilMs : undefined, untilMs)
  })
  test('counts from the stage that let the agent in, and a later one does not delay it anew', () => {
    const stages = [
      { at: '2026-11-21T02:00:00Z', percent: 90 },
      { at: '2026-11-22T01:59:59Z', percent: 100 },
    ]
    assert.equal(decideCase({ rollout: spread('1h', { stages }) }).kind, 'install')
    const late = stages.with(0, { at: '2026-11-21T02:00:00Z', percent: 5 })
    assert.equal(decideCase({ rollout: spread('1h', { stages: late }) }).kind, 'wait')
  })
  table([
    ['of nothing delays nobody', { rollout: spread('0s') }, 'install newer'],
    ['delays no forced update', { release: { min_version: '1.4.2' }, rollout: spread('200h') }, 'install forced'],
    [
      'delays no machine with nothing on it',
      { facts: { running: undefined }, rollout: spread('200h') },
      'install first',
    ],
    ['holds for the stages of a rule', { rollout: spread('200h', rule({ match: {}, ...everybody })) }, 'wait stage'],
  ])
})

describe('a rule is refused', () => {
  const verdictOf = (rollout: Overrides): string => {
    const { bytes, trust } = makeManifest({ rollout })
    const verdict = verifyManifest(bytes, trust, NOW_MS)
    return verdict.kind === 'accepted' ? 'accepted' : isMoultError(verdict.error) ? verdict.error.code : 'another'
  }
  const good = { match: { labels: { ring: ['canary'] } }, stages: percent(100).stages }
  test('with a member that is unknown, so that none is applied to more agents than it means', () => {
    assert.equal(verdictOf(rule(good)), 'accepted')
    const wrong = [
      { ...good, unless: { ids: ['a'] } },
      { ...good, match: { ...good.match, sites: ['x'] } },
      { ...good, hold: true },
      { ...good, pin: OLD.ref },
      { match: {}, pin: OLD.ref, hold: true },
      { stages: percent(100).stages },
      { ...good, match: { labels: {} } },
      { ...good, match: { versions: ['1.x'] } },
    ]
    for (const one of wrong) assert.equal(verdictOf(rule(one)), 'ERR_MANIFEST_SCHEMA', JSON.stringify(one))
    assert.equal(verdictOf(rule({ ...good, hold: false })), 'accepted')
  })
})
