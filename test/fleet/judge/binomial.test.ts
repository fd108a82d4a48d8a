import assert from 'node:assert/strict'
import { test } from 'node:test'

import { chanceOf, isBeyondChance } from '../../../fleet/judge/binomial.ts'

const isNear = (a: number, b: number): void =>
  assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)), `${a}, ${b}`)

test('the probability of so many failures is that of the binomial distribution, by adding up all outcomes', () => {
  for (const agents of [1, 2, 5, 12]) {
    for (const rate of [0.01, 0.05, 0.5, 0.9]) {
      for (let failures = 0; failures <= agents; failures++) {
        let sum = 0
        for (let outcome = 0; outcome < 2 ** agents; outcome++) {
          const failed = outcome.toString(2).replaceAll('0', '').length
          if (failed >= failures) sum += rate ** failed * (1 - rate) ** (agents - failed)
        }
        isNear(chanceOf(failures, agents, rate), sum)
      }
    }
  }
})

test('it holds for a million agents, where no factor can be written as a number', () => {
  const half = chanceOf(50_000, 1_000_000, 0.05)
  assert.ok(half > 0.5 && half < 0.502, String(half))
  assert.ok(chanceOf(51_000, 1_000_000, 0.05) < 1e-5)
})

test('three of three are beyond chance where one of twenty may fail, one of one and two of five are not', () => {
  assert.deepEqual(
    [
      [3, 3],
      [2, 2],
      [1, 1],
      [2, 5],
      [3, 5],
      [0, 5],
      [5, 100],
    ].map(([failures = 0, agents = 0]) => isBeyondChance(failures, agents, 0.05)),
    [true, true, false, false, true, false, false],
  )
})

test('no failure is allowed: any is beyond chance', () => {
  assert.equal(isBeyondChance(1, 1000, 0), true)
  assert.equal(isBeyondChance(0, 1000, 0), false)
})
