import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Live } from '../../release/live.ts'
import { nextSequence } from '../../release/next-sequence.ts'
import { editRoot, nextRoot } from '../../release/roots/edit-root.ts'
import { idOf, keyOf, NOW_MS, PLAIN } from './roots/root-fixture.ts'

const SECONDS = NOW_MS / 1000
const added = editRoot(nextRoot(PLAIN), [{ kind: 'add', role: 'rollout', key: keyOf('d') }])
const revoked = editRoot(added, [{ kind: 'remove', role: 'rollout', id: idOf('rollout') }])
const live = (sequence: number): Live => ({ root: PLAIN, manifest: { rollout: { sequence } } }) as unknown as Live

test('numbers are counted by ones, and begin with 1', () => {
  assert.equal(nextSequence([undefined], PLAIN, NOW_MS), 1)
  assert.equal(nextSequence([live(41)], PLAIN, NOW_MS), 42)
  assert.equal(nextSequence([live(41)], revoked, NOW_MS), 42)
})

test('a burnt number is left behind only where its key is revoked (catalogue 23)', () => {
  for (const burnt of [SECONDS + 1, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER]) {
    assert.equal(nextSequence([live(burnt)], revoked, NOW_MS), SECONDS)
    assert.equal(nextSequence([live(burnt)], added, NOW_MS), burnt + 1)
  }
})

test('after a new beginning numbers go on from there', () => {
  const later = { ...live(SECONDS), root: revoked }
  assert.equal(nextSequence([later], revoked, NOW_MS + 5000), SECONDS + 1)
})

test('a number that was seen and put back is not used again', () => {
  assert.equal(nextSequence([undefined, live(1)], PLAIN, NOW_MS), 2)
  assert.equal(nextSequence([live(41), live(42)], PLAIN, NOW_MS), 43)
  // Nor the new beginning, when its read-back fails within a second.
  const again = { ...live(SECONDS), root: revoked }
  assert.equal(nextSequence([live(Number.MAX_SAFE_INTEGER), again], revoked, NOW_MS), SECONDS + 1)
})
