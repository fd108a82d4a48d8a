import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ALERT_CODES, ALERT_LIMITS, type AlertOptions, findAlerts } from '../../../fleet/alerts/find-alerts.ts'
import type { FleetFigures, ReleaseFigures } from '../../../fleet/fleet-figures.ts'
import { ERROR_CODES } from '../../../manifests/errors.ts'
import { emptyFigures, HOUR_MS, NOW_MS, sampleFigures } from '../sample-figures.ts'

const CALM = { ...sampleFigures().agents, total: 1000, active: 1000, silent: 0, stuck: 0 }

/** A fleet in which nothing is wrong, but for the changes. */
function fleetWith(changes: Partial<FleetFigures> = {}): FleetFigures {
  return sampleFigures({
    agents: CALM,
    releases: [release(100, 0, 0)],
    errors: [],
    events: [],
    stuck: [],
    silent: [],
    ...changes,
  })
}

function release(updated: number, rolledBack: number, failed: number): ReleaseFigures {
  const [one] = sampleFigures().releases
  assert.ok(one)
  const tried = updated + rolledBack + failed
  return { ...one, updated, rolledBack, failed, failureRate: tried === 0 ? undefined : (rolledBack + failed) / tried }
}

function keysOf(figures: FleetFigures, options: AlertOptions = {}): string[] {
  return findAlerts(figures, options).map(({ key }) => key)
}

describe('alerts', () => {
  test('there are none where nothing is wrong', () => {
    assert.deepEqual(findAlerts(fleetWith(), { clockMs: NOW_MS }), [])
  })

  test('a failure rate above its limit, where enough agents tried', () => {
    const rate = (updated: number, failed: number): string[] =>
      keysOf(fleetWith({ releases: [release(updated, 0, failed)] }))
    assert.deepEqual(rate(95, 5), [], '5 % is not above 5 %')
    assert.deepEqual(rate(94, 6), ['FLEET_FAILURE_RATE 1.4.2'])
    assert.deepEqual(rate(2, 2), [], 'four agents are too few')
    assert.deepEqual(rate(3, 2), ['FLEET_FAILURE_RATE 1.4.2'])
    const limits = { ...ALERT_LIMITS, maxFailureRate: 0.5, minAgents: 1 }
    assert.deepEqual(keysOf(fleetWith({ releases: [release(1, 0, 1)] }), { limits }), [])
    assert.deepEqual(keysOf(fleetWith({ releases: [release(0, 0, 1)] }), { limits }), ['FLEET_FAILURE_RATE 1.4.2'])
  })

  test('any rollback, by version', () => {
    const [alert] = findAlerts(fleetWith({ releases: [release(999, 1, 0)] }))
    assert.deepEqual(alert, {
      code: 'FLEET_ROLLBACK',
      key: 'FLEET_ROLLBACK 1.4.2',
      version: '1.4.2',
      agents: 1,
      text: '1.4.2 was rolled back by 1 agent',
    })
  })

  test('what a log or a file calls a version moves no cursor where the alert is printed', () => {
    const releases = [{ ...release(1, 1, 0), version: '\u001b[2J1' }]
    const [rollback, stuck] = findAlerts(fleetWith({ releases, offered: '\u009b2', agents: { ...CALM, stuck: 1 } }))
    assert.match(rollback?.text ?? '', /^\ufffd\[2J1 was/)
    assert.match(stuck?.text ?? '', /older than \ufffd2/)
  })

  test('any wrong hash, whether an agent has the error now or told of it', () => {
    assert.ok('ERR_BYTES_HASH' in ERROR_CODES)
    assert.deepEqual(keysOf(fleetWith({ errors: [{ code: 'BYTES_HASH', agents: 1 }] })), ['FLEET_HASH_MISMATCH'])
    const releases = [{ ...release(0, 0, 0), hashMismatches: 2 }]
    const [alert] = findAlerts(fleetWith({ releases, errors: [{ code: 'BYTES_HASH', agents: 1 }] }))
    assert.deepEqual([alert?.code, alert?.agents], ['FLEET_HASH_MISMATCH', 2])
    assert.deepEqual(keysOf(fleetWith({ errors: [{ code: 'BYTES_SIZE', agents: 1 }] })), [])
  })

  test('any distrust of what is published, but not an old copy at the edge of a cache', () => {
    const trust = Object.keys(ERROR_CODES).filter((code) => code.startsWith('ERR_TRUST_'))
    assert.ok(trust.length > 5)
    for (const code of trust) {
      const expected = code === 'ERR_TRUST_REPLAY' ? [] : ['FLEET_TRUST']
      assert.deepEqual(keysOf(fleetWith({ errors: [{ code: code.slice(4), agents: 1 }] })), expected, code)
    }
  })

  test('any stuck agent, unless more are allowed', () => {
    const figures = fleetWith({ agents: { ...CALM, stuck: 2 } })
    assert.deepEqual(keysOf(figures), ['FLEET_STUCK'])
    assert.deepEqual(keysOf(figures, { limits: { ...ALERT_LIMITS, maxStuck: 2 } }), [])
    assert.match(
      findAlerts(figures, { stuckAfterMs: 48 * HOUR_MS })[0]?.text ?? '',
      /^2 agents stuck on a version older than 1\.4\.2 for more than 48 h$/,
    )
  })

  test('a share of silent agents above its limit', () => {
    assert.deepEqual(keysOf(fleetWith({ agents: { ...CALM, silent: 100 } })), [])
    assert.deepEqual(keysOf(fleetWith({ agents: { ...CALM, silent: 101 } })), ['FLEET_SILENT'])
  })

  test('logs without a poll, or without a new one: silence is no good news', () => {
    assert.deepEqual(keysOf(emptyFigures()), ['FLEET_NO_DATA'])
    const { lastMs } = fleetWith()
    assert.deepEqual(keysOf(fleetWith(), { clockMs: lastMs + 24 * HOUR_MS }), [])
    assert.deepEqual(keysOf(fleetWith(), { clockMs: lastMs + 24 * HOUR_MS + 1 }), ['FLEET_NO_DATA'])
  })

  test('all at once have codes of the table, and keys of their own', () => {
    const found = findAlerts(
      sampleFigures({
        agents: { ...CALM, silent: 500, stuck: 3 },
        errors: [
          { code: 'TRUST_KEY', agents: 1 },
          { code: 'BYTES_HASH', agents: 1 },
        ],
      }),
      { clockMs: NOW_MS + 48 * HOUR_MS },
    )
    assert.deepEqual(new Set(found.map(({ code }) => code)), new Set(Object.keys(ALERT_CODES)))
    assert.equal(new Set(found.map(({ key }) => key)).size, found.length)
  })
})
