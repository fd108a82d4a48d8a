// The claims of docs/simulation.md, with fleets that are small enough for every run of the tests. A seed is fixed and the
// model is exact, so a figure is the same on every machine.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { chanceOfAllWithin, peakByChance } from '../../scripts/fleet-model/chance.ts'
import { type Figures, figuresOf, type SpanFigures } from '../../scripts/fleet-model/figures.ts'
import { runFleet } from '../../scripts/fleet-model/fleet.ts'
import { SCENARIOS } from '../../scripts/fleet-model/scenarios.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SEED = 1
const SMALL = 2000
const GOAL = 1.15

function played(scenario: string, agents: number): { figures: Figures; spans: Readonly<Record<string, SpanFigures>> } {
  const plan = { ...(SCENARIOS[scenario] ?? assert.fail(scenario)), agents, seed: SEED }
  const figures = figuresOf(plan, runFleet(plan))
  return { figures, spans: Object.fromEntries(figures.spans.map((span) => [span.name, span])) }
}

function ratios(span: SpanFigures | undefined): [second: number, tenSeconds: number] {
  const [second, ten] = span?.windows ?? []
  return [second?.peakToMean ?? Infinity, ten?.peakToMean ?? Infinity]
}

/** No peak that independent polls at the mean rate would not have, too. */
function assertOnlyChance(spans: readonly (SpanFigures | undefined)[]): void {
  for (const span of spans) {
    for (const { windowS, peakToMean, byChance } of span?.windows ?? assert.fail('no such span'))
      assert.ok(peakToMean < byChance, `${span?.name}, ${windowS} s: ${peakToMean}, by chance ${byChance}`)
  }
}

describe(`a fleet in virtual time (seed ${SEED})`, { timeout: 120_000 }, () => {
  test('100,000 agents that boot in one second poll evenly from the first second on: under 1.15 in any ten seconds', () => {
    const { spans } = played('boot', 100_000)
    assertOnlyChance(Object.values(spans))
    for (const span of Object.values(spans)) {
      assert.ok(ratios(span)[1] < GOAL, `${span.name}: ${ratios(span)[1]}`)
      assert.ok(Math.abs(span.share - 1) < 0.01, `${span.name}: ${span.share}`)
    }
  })

  test('after an hour without the host no ten seconds see 1.15 of the mean, and in an hour the fleet is back', () => {
    for (const [scenario, agents] of [
      ['outage', 100_000],
      ['outage-503', 50_000],
    ] as const) {
      const { spans } = played(scenario, agents)
      const [before, during, after, later] = ['before', 'during', 'hour after', 'later'].map((name) => spans[name])
      assertOnlyChance([before, during, after, later])
      for (const span of [after, later]) assert.ok(ratios(span)[1] < GOAL, `${scenario}: ${ratios(span)[1]}`)
      assert.ok(during !== undefined && during.share < 0.4, scenario)
      assert.ok(after !== undefined && after.share > 0.6 && after.share < 1, `${scenario}: ${after?.share}`)
      assert.ok(later !== undefined && Math.abs(later.share - 1) < 0.01, scenario)
    }
  })

  test('a second of 100,000 independent agents goes beyond 1.15 by chance, and of a million it does not', () => {
    const limitOf = (agents: number): [mean: number, limit: number] => [agents / 300, (GOAL * agents) / 300]
    const inAnHour = (agents: number): number => {
      const [mean, limit] = limitOf(agents)
      return chanceOfAllWithin(mean, 3600, limit)
    }
    assert.ok(inAnHour(100_000) < 1e-5, `${inAnHour(100_000)}`)
    assert.ok(inAnHour(300_000) > 0.99, `${inAnHour(300_000)}`)
    assert.ok(inAnHour(1_000_000) > 1 - 1e-9, `${inAnHour(1_000_000)}`)
    // The bound by itself: of a mean of 1, 7 or more come with 8.324e-5.
    assert.deepEqual([peakByChance(1, 1, 8.33e-5), peakByChance(1, 1, 8.32e-5)], [7, 8])
  })

  test('reboots together, however close to each other, bring no poll nearer to another', () => {
    assertOnlyChance(Object.values(played('reboots', 10 * SMALL).spans))
  })

  test('a change of the interval has no echo: neither in the minute of the change nor in the hours after', () => {
    const { spans } = played('interval', 10 * SMALL)
    assertOnlyChance(Object.values(spans))
    assert.ok(Math.abs((spans['5 minutes again']?.share ?? 0) - 1) < 0.03)
  })

  test('a release for all at once costs each agent a poll more within an interval, and with a spread hardly any', () => {
    const { figures, spans } = played('stage', SMALL)
    const [, ten] = ratios(spans['interval of the release'])
    assert.ok(ten > 1.8 && ten < 2.5, `${ten}`)
    assertOnlyChance([spans['before'], spans['later']])
    assert.ok((figures.adoption.all ?? Infinity) < 2 * 330, `${figures.adoption.all}`)
    assert.equal(figures.counts.downloads, SMALL)

    const spread = played('spread', SMALL)
    const share = spread.spans['spread']?.share ?? 0
    assert.ok(share > 1.05 && share < 1.1, `${share}`)
    assert.equal(spread.figures.counts.downloads, SMALL)
    const { half, all } = spread.figures.adoption
    assert.ok(half !== null && half > 1500 && half < 2400 && all !== null && all < 3600 + 2 * 330, `${half}, ${all}`)
  })

  test('edges that serve the old manifest are refused by those who know the new one, and hold nobody up for good', () => {
    const { figures } = played('edges', SMALL)
    assert.deepEqual(Object.keys(figures.refused), ['ERR_TRUST_REPLAY'])
    assert.ok((figures.refused['ERR_TRUST_REPLAY'] ?? 0) > SMALL / 10)
    // Half an hour of stale answers, and at the end of it an agent may be backing off.
    assert.ok((figures.adoption.ninety ?? Infinity) < 900 && figures.adoption.all !== null, JSON.stringify(figures))
    assert.deepEqual(played('stage', SMALL).figures.refused, {})
  })

  test('a clock that is wrong shifts the stages of its own agent, and has nothing refused', () => {
    const { figures } = played('clocks', SMALL)
    assert.deepEqual(figures.refused, {})
    const right = 0.95 * SMALL
    assert.ok(figures.counts.downloads > right - 60 && figures.counts.downloads < right + 60)
    assert.equal(played('stages', SMALL).figures.counts.downloads, SMALL)
  })

  test('asks for a decision only when it can have changed, and that gives what asking at every poll gives', () => {
    for (const scenario of ['spread', 'stages', 'clocks', 'edges', 'interval']) {
      const plan = { ...(SCENARIOS[scenario] ?? assert.fail(scenario)), agents: 200, seed: SEED }
      const [seldom, always] = [runFleet(plan), runFleet(plan, { asksAlways: true })]
      assert.ok(always.counts.decisions > 2 * seldom.counts.decisions, scenario)
      assert.deepEqual(figuresWithoutAsking(seldom), figuresWithoutAsking(always), scenario)
    }
  })

  test('the script prints the same figures for the same seed, and draws curves', () => {
    const folder = mkdtempSync(join(tmpdir(), 'moult-curves-'))
    try {
      const run = (seed: string): Record<string, unknown> => {
        const args = ['boot', 'stage', '--agents', '2000', '--seed', seed, '--json', '--svg', folder]
        const command = ['--import', 'tsx', 'scripts/simulate-fleet.ts', ...args]
        const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: ROOT, encoding: 'utf8' })
        assert.equal(status, 0, stderr)
        const [, stage] = stdout.trim().split('\n')
        const { run: _, seed: __, ...figures } = JSON.parse(stage ?? '') as Record<string, unknown>
        return figures
      }
      const first = run('1')
      const curves = readFileSync(join(folder, 'stage.svg'), 'utf8')
      assert.deepEqual(run('1'), first)
      assert.equal(readFileSync(join(folder, 'stage.svg'), 'utf8'), curves)
      assert.notDeepEqual(run('2'), first)
      assert.match(curves, /^<svg [^>]+ aria-label="A release for everybody at once \(2000 agents, seed 1\)">/)
      assert.match(curves, /prefers-color-scheme: dark/)
      assert.doesNotMatch(curves, /NaN|Infinity|undefined/)
      assert.equal(curves.match(/class="curve"/g)?.length, 2)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

function figuresWithoutAsking({ polls, moved, counts, bytes, refused }: ReturnType<typeof runFleet>): unknown {
  return { polls, moved, counts: { ...counts, decisions: 0 }, bytes, refused }
}
