import assert from 'node:assert/strict'
import { test } from 'node:test'

import { checkShape, formatDate, type JsonObject, type Rollout, rolloutShape } from '../../../manifests/index.ts'
import {
  composeRollout,
  type LiveRollout,
  type RolloutContext,
  type RolloutOptions,
  rolloutTermsOf,
} from '../../../release/index.ts'
import type { Config } from '../../../release/config.ts'
import { composeRollback } from '../../../release/rollout/compose-rollout.ts'
import { delayByPause } from '../../../release/rollout/shift-stages.ts'
import { failsWith } from '../project-fixture.ts'

const HOUR_MS = 3_600_000
const START = Date.UTC(2026, 10, 21)
const at = (hours: number): string => formatDate(START + hours * HOUR_MS)
const digestOf = (version: string): string => version.replaceAll('.', '0').padEnd(64, 'a')
const reference = (version: string) => ({
  version,
  release: digestOf(version),
  url: `releases/${version}.json`,
})

interface Step {
  readonly version?: string
  readonly hours?: number
  readonly live?: Rollout | undefined
  readonly liveVersion?: string
  readonly config?: Config['rollout']
  /** Published, and good for agents of today. */
  readonly published?: readonly string[]
}

function contextOf(step: Step): RolloutContext {
  const { version = '1.1.0', hours = 0, live, liveVersion = '1.0.0', published = ['0.9.0', '1.0.0', '1.1.0'] } = step
  const before: LiveRollout | undefined = live && {
    version: liveVersion,
    release: digestOf(liveVersion),
    rollout: live,
  }
  return {
    name: 'probe',
    channel: 'stable',
    version,
    release: digestOf(version),
    sequence: 7,
    previous: 'b'.repeat(64),
    live: before,
    references: new Map(published.map((one) => [one, reference(one)])),
    now: START + hours * HOUR_MS,
  }
}

function compose(options: RolloutOptions, step: Step = {}): Rollout & JsonObject {
  const config = step.config === undefined ? {} : { rollout: step.config }
  const statement = composeRollout(rolloutTermsOf(options, config), contextOf(step))
  // What is composed fits the format.
  checkShape(rolloutShape, statement, 'rollout')
  return statement as Rollout & JsonObject
}

const first = (options: RolloutOptions, hours = 0): Rollout => compose(options, { version: '1.0.0', hours })

test('a first release is for all at once, and has no fallback', () => {
  const { stages, fallback, rules, flags, issued, expires, previous } = compose({})
  assert.deepEqual(stages, [{ at: at(0), percent: 100 }])
  assert.deepEqual([fallback, rules, flags, issued, expires], [undefined, undefined, undefined, at(0), at(90 * 24)])
  assert.equal(previous, 'b'.repeat(64))
})

test('rules, flags, spread and poll interval go over to the next release, and stages of rules begin anew', () => {
  const live = first({
    rules: ['label:ring=canary -> 0h:50%,24h:100%', 'id:a -> hold', 'id:b -> pin 0.9.0; window 02:00-05:00'],
    flags: ['parser=new 50%'],
    spread: '30m',
    poll: '10m',
  })
  const next = compose({ percent: 5 }, { live, hours: 100 })
  assert.deepEqual(next.rules?.[0]?.stages, [
    { at: at(100), percent: 50 },
    { at: at(124), percent: 100 },
  ])
  assert.deepEqual(next.rules?.slice(1), live.rules?.slice(1))
  assert.deepEqual([next.flags, next.spread, next.poll], [live.flags, '30m', '10m'])
  assert.deepEqual(next.stages, [{ at: at(100), percent: 5 }])
})

test('options count before the configuration, and that before what is live', () => {
  const live = first({ flags: ['a=live'], spread: '1m', poll: '1m', rules: ['id:live -> 100%'] })
  const config = { flags: ['a=config'], spread: '2m', poll: '2m', rules: ['id:config -> 100%'], percent: 20 }
  const flagOf = ({ flags }: Rollout): unknown => flags?.['a']?.shares[0]?.value
  const factsOf = (one: Rollout) => [
    flagOf(one),
    one.spread,
    one.poll,
    one.rules?.[0]?.match.ids,
    one.stages[0]?.percent,
  ]
  assert.deepEqual(factsOf(compose({}, { live })), ['live', '1m', '1m', ['live'], 100])
  assert.deepEqual(factsOf(compose({}, { live, config })), ['config', '2m', '2m', ['config'], 20])
  const asked = { flags: ['a=asked'], spread: '3m', poll: '3m', rules: ['id:asked -> 100%'], percent: 30 }
  assert.deepEqual(factsOf(compose(asked, { live, config })), ['asked', '3m', '3m', ['asked'], 30])
  const cleared = compose({ rules: [], flags: [], spread: '0s' }, { live, config })
  assert.deepEqual([cleared.rules, cleared.flags, cleared.spread], [undefined, undefined, undefined])
})

test('a configuration without the hold or the pin of the live rollout does not lift it by the way', () => {
  const live = first({ rules: ['label:site=eu -> hold', 'id:b -> pin 0.9.0'] })
  const config = (rules: string[]): Step => ({ live, config: { rules } })
  assert.throws(
    () => compose({}, config(['id:b -> pin 0.9.0'])),
    failsWith('ERR_POLICY_REFUSED', /would let agents go/),
  )
  assert.throws(() => compose({}, config(['label:site=eu -> hold'])), failsWith('ERR_POLICY_REFUSED'))
  const both = ['id:b -> pin 1.0.0', 'label:site=eu -> hold']
  assert.equal(compose({}, config(both)).rules?.length, 2)
  assert.equal(compose({ rules: [] }, config([])).rules, undefined, 'who says so by an option means it')
})

test('salt, pause and its beginning are of one release, the way back is not; of the same one all stays, also what is unknown', () => {
  const own = { salt: 'x', rollback: ['1.2.0'], paused: true, paused_since: at(1), later: { a: [1] } }
  const live = { ...first({ stages: '0h:5%,24h:100%', spread: '5m' }), ...own } as Rollout
  const same = compose({ poll: '5m' }, { version: '1.0.0', live, hours: 10, config: { percent: 1, poll: '7m' } })
  const { sequence: _s, issued: _i, expires: _e, previous: _p, poll, ...rest } = same
  const { sequence: _s2, issued: _i2, expires: _e2, previous: _p2, ...before } = live
  assert.equal(poll, '5m')
  assert.deepEqual(rest, before)
  const other = compose({}, { live, hours: 10 }) as JsonObject
  for (const name of ['salt', 'paused', 'paused_since', 'later', 'fallback']) assert.equal(other[name], undefined, name)
  // Agents that were away have still to leave what is bad.
  assert.deepEqual(other['rollback'], own.rollback)
  assert.equal((compose({}, { version: '1.2.0', live, hours: 10 }) as JsonObject)['rollback'], undefined)
})

test('the fallback is what all may have, or else what it fell back to itself', () => {
  const whole = first({})
  assert.deepEqual(compose({ percent: 5 }, { live: whole }).fallback, reference('1.0.0'))
  const part = compose({ percent: 5 }, { live: whole })
  const chained = compose({ percent: 5 }, { version: '1.2.0', live: part, liveVersion: '1.1.0' })
  assert.deepEqual(chained.fallback, reference('1.0.0'), '1.1.0 was never for all')
  const grown = compose({ stages: '0h:5%,24h:100%' }, { live: whole })
  const after = (hours: number) => compose({}, { version: '1.2.0', live: grown, liveVersion: '1.1.0', hours }).fallback
  assert.deepEqual([after(23)?.version, after(24)?.version], ['1.0.0', '1.1.0'])
  const paused = compose({}, { version: '1.2.0', live: { ...grown, paused: true }, liveVersion: '1.1.0', hours: 48 })
  assert.equal(paused.fallback?.version, '1.0.0', 'a paused one is not handed on')
  assert.equal(compose({ percent: 5 }, { live: first({ percent: 99 }) }).fallback, undefined)
  assert.equal(compose({}, { live: whole, published: [] }).fallback, undefined, 'agents of today cannot verify it')
})

test('a fallback that was published anew with another digest is none', () => {
  const context = contextOf({ live: first({}) })
  const references = new Map([['1.0.0', { ...reference('1.0.0'), release: 'c'.repeat(64) }]])
  assert.equal(composeRollout(rolloutTermsOf({}, {}), { ...context, references })['fallback'], undefined)
})

test('the way back is for all at once, with the rules and without a fallback', () => {
  const before = first({ stages: '0h:5%,24h:50%', rules: ['id:a -> hold'], flags: ['x=1'] })
  const live = { ...before, fallback: reference('0.8.0') }
  const statement = composeRollback(
    ['1.0.0'],
    '30d',
    contextOf({ version: '0.9.0', live, hours: 5, published: ['0.8.0'] }),
  )
  const { stages, rollback, rules, flags, fallback } = statement as unknown as Rollout
  assert.deepEqual([stages, rollback, fallback], [[{ at: at(5), percent: 100 }], ['1.0.0'], undefined])
  assert.deepEqual([rules, flags], [live.rules, live.flags])
})

test('no rule pins agents to a version that they have to leave: they would go to and fro', () => {
  const live = first({ rules: ['id:a -> pin 1.1.0'] })
  assert.throws(
    () => composeRollback(['1.1.0'], '30d', contextOf({ version: '0.9.0', live })),
    failsWith('ERR_POLICY_REFUSED', /a version that has to go back: 1\.1\.0/),
  )
  const back = { ...first({}), rollback: ['1.1.0'] } as Rollout
  assert.throws(
    () => compose({ rules: ['id:a -> pin 1.1.0'] }, { version: '1.0.0', live: back }),
    failsWith('ERR_POLICY_REFUSED'),
  )
  assert.equal(compose({ rules: ['id:a -> pin 0.9.0'] }, { version: '1.0.0', live: back }).rollback?.length, 1)
})

const SPREADS: readonly (readonly [stages: string, rate: string, fleet: number, spread: string | undefined])[] = [
  ['0h:100%', '500/min', 20_000, '40m'],
  ['0h:5%,24h:25%,48h:100%', '500/min', 20_000, '30m'],
  ['0h:5%,24h:25%,48h:100%', '10/s', 20_000, '25m'],
  ['0h:100%', '1000/h', 24_000, '1d'],
  ['0h:0%', '500/min', 20_000, undefined],
  ['0h:100%', '7/s', 1, '1s'],
  // The second stage begins before the first is through: both together stay below the rate.
  ['0h:50%,10m:100%', '500/min', 20_000, '40m'],
  ['0h:50%,20m:100%', '500/min', 20_000, '20m'],
]
for (const [stages, maxRate, fleetSize, spread] of SPREADS)
  test(`${stages} of ${fleetSize} agents at ${maxRate} at most is spread over ${spread ?? 'nothing'}`, () => {
    assert.equal(compose({ stages, maxRate, fleetSize }).spread, spread)
  })

test('other stages of the live release are spread by the configured rate, and other flags leave the spread alone', () => {
  const config = { maxRate: '500/min', fleetSize: 20_000 }
  const live = first({ percent: 5, spread: '2m' })
  const change = (options: RolloutOptions) => compose(options, { version: '1.0.0', live, config }).spread
  assert.deepEqual([change({ percent: 50 }), change({ flags: ['a=1'] }), change({ spread: '9m' })], ['20m', '2m', '9m'])
})

test('what had not begun at the pause begins as much later as it lasts, in rules too', () => {
  const live = {
    ...first({ stages: '0h:5%,24h:50%,48h:100%', rules: ['id:a -> 10h:5%,30h:100%', 'id:b -> hold'] }),
    paused: true,
    paused_since: at(24),
  } as Rollout
  const { stages, rules } = delayByPause(live, START + 60 * HOUR_MS)
  assert.deepEqual(
    stages.map((stage) => stage.at),
    [at(0), at(24), at(84)],
  )
  assert.deepEqual(
    rules?.[0]?.stages?.map((stage) => stage.at),
    [at(10), at(66)],
  )
  assert.deepEqual(rules?.[1], live.rules?.[1])
})

test('stages that are given during a pause are not delayed by what lay before', () => {
  const live = {
    ...first({ stages: '0h:5%,24h:100%', rules: ['id:a -> 0h:5%,24h:100%'] }),
    paused: true,
    paused_since: at(12),
  } as Rollout
  const set = compose({ stages: '0h:10%,10h:100%' }, { version: '1.0.0', live, hours: 20 })
  assert.deepEqual([set.paused, set.paused_since], [true, at(20)])
  const resumed = delayByPause(set, START + 30 * HOUR_MS)
  assert.deepEqual(
    resumed.stages.map((stage) => stage.at),
    [at(20), at(40)],
  )
  assert.deepEqual(
    resumed.rules?.[0]?.stages?.map((stage) => stage.at),
    [at(0), at(24 + 18)],
    'paused for 18 hours in all',
  )
})

const REFUSED: readonly (readonly [options: RolloutOptions, message: RegExp])[] = [
  [{ percent: 5, stages: '0h:5%' }, /^--percent: expected no --stages beside it/],
  [{ spread: 'soon' }, /^--spread: expected a duration such as 30m/],
  [{ spread: '5m', maxRate: '1/s', fleetSize: 5 }, /^--max-rate: expected no --spread beside it/],
  [{ maxRate: '500', fleetSize: 5 }, /^--max-rate: expected downloads in a time, such as 500\/min/],
  [{ maxRate: '500/min' }, /^--max-rate: expected --fleet-size beside it/],
  [{ maxRate: '500/min', fleetSize: 0 }, /^--fleet-size: expected a whole number of agents/],
  [{ poll: '30s' }, /^--poll: expected a duration from 1m to 24h/],
  [{ poll: '25h' }, /^--poll/],
  [{ rules: ['all -> helt'] }, /^--rule: expected an effect/],
  [{ flags: ['a'] }, /^--flag: expected a flag/],
  [{ flags: ['a=1', 'a=2'] }, /^--flag: expected each flag once/],
  [{ expires: '401d' }, /^--expires/],
  [{ stages: '0h:5%,4000d:100%' }, /^--stages/],
]
for (const [options, message] of REFUSED)
  test(`options that make no sense: ${JSON.stringify(options)}`, () => {
    assert.throws(() => rolloutTermsOf(options, {}), failsWith('ERR_USAGE_INVALID', message))
  })
