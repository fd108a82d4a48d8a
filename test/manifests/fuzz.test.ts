// A short run of the fuzzer; scripts/fuzz-manifests.ts is the long one.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { verifyManifest } from '../../manifests/index.ts'
import { CORPUS } from '../fuzz/corpus.ts'
import { judgeMutant, makeMutant } from '../fuzz/fuzz-manifests.ts'
import { testSeed } from '../fuzz/random.ts'

const RUN_MS = 3000
const MUTANTS_MIN = 200

test('each sample of the fuzzer is accepted as it is', () => {
  for (const { name, bytes, trust, now } of CORPUS)
    assert.equal(verifyManifest(bytes, trust, now).kind, 'accepted', name)
})

test('no mutant of a signed manifest is accepted for anything that was not signed, and none breaks a check', (t) => {
  const seed = testSeed()
  t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
  const counts = new Map<string, number>()
  const startedAt = performance.now()
  let index = 0
  for (; index < MUTANTS_MIN || performance.now() - startedAt < RUN_MS; index += 1) {
    const { kind, violation } = judgeMutant(makeMutant(seed, index))
    const again = `npx tsx scripts/fuzz-manifests.ts --seed ${seed} --only ${index}`
    assert.equal(violation, undefined, `${violation ?? ''}: ${again}`)
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  t.diagnostic(`${index} mutants`)
  assert.ok(counts.size > 5, 'the mutants die in many ways')
})

test('a mutant depends on the seed and its number only', () => {
  for (let index = 0; index < 50; index += 1) {
    assert.deepEqual(makeMutant(7, index).bytes, makeMutant(7, index).bytes)
  }
  assert.notDeepEqual(makeMutant(7, 0).bytes, makeMutant(8, 0).bytes)
})
