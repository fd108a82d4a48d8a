import assert from 'node:assert/strict'
import { test } from 'node:test'

import { datedStages, parseStages } from '../../release/stages.ts'

test('stages are read with their offsets from the start', () => {
  assert.deepEqual(parseStages('0h:5%, 1d12h:25%,48h:100%'), [
    { afterMs: 0, percent: 5 },
    { afterMs: 129_600_000, percent: 25 },
    { afterMs: 172_800_000, percent: 100 },
  ])
})

for (const text of [
  '',
  '5%',
  '0h:5',
  '0h:101%',
  '0h:-1%',
  '1h:5%,1h:10%',
  '2h:5%,1h:10%',
  '0h:50%,1h:20%',
  '0h:5%,',
  'now:5%',
]) {
  test(`not a list of stages: ${JSON.stringify(text)}`, () => assert.equal(parseStages(text), undefined))
}

test('stages become dates counted from the moment of issue', () => {
  const stages = datedStages(parseStages('0s:1%,1h:2%') ?? [], Date.UTC(2026, 0, 1))
  assert.deepEqual(stages, [
    { at: '2026-01-01T00:00:00Z', percent: 1 },
    { at: '2026-01-01T01:00:00Z', percent: 2 },
  ])
})
