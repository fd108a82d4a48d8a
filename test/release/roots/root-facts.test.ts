import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type JsonObject, readRoot } from '../../../manifests/index.ts'
import { compareRoots } from '../../../release/roots/compare-roots.ts'
import { editRoot, nextRoot } from '../../../release/roots/edit-root.ts'
import { parseExpiry } from '../../../release/roots/root-expiry.ts'
import { reviewOf } from '../../../release/roots/root-facts.ts'
import { warningsFor } from '../../../release/roots/root-warnings.ts'
import { failsWith } from '../project-fixture.ts'
import { idOf, keyOf, NOW_MS, PLAIN, rootOf } from './root-fixture.ts'

test('the difference of two roots names every key, threshold and date', () => {
  const after = editRoot(nextRoot(PLAIN), [
    { kind: 'remove', role: 'root', id: idOf('a') },
    { kind: 'add', role: 'root', key: keyOf('d') },
    { kind: 'threshold', role: 'root', threshold: 3 },
    { kind: 'expires', at: '2032-01-01T00:00:00Z' },
  ])
  assert.deepEqual(compareRoots(PLAIN, after), [
    { kind: 'key-removed', role: 'root', key: idOf('a') },
    { kind: 'key-added', role: 'root', key: idOf('d') },
    { kind: 'threshold', role: 'root', from: 2, to: 3, of: 3 },
    { kind: 'expires', from: '2031-01-01T00:00:00Z', to: '2032-01-01T00:00:00Z' },
  ])
  assert.deepEqual(compareRoots(PLAIN, nextRoot(PLAIN)), [])
})

test('nothing is signed unseen: members without a meaning are differences too', () => {
  const { keys, roles } = PLAIN.document as { keys: Record<string, JsonObject>; roles: JsonObject }
  const a = { ...keys[idOf('a')], comment: 'new owner' }
  const extra = { keys: [idOf('a')], threshold: 1 }
  const after = readRoot({
    ...PLAIN.document,
    'x-mirror': 'https://example.com',
    roles: { ...roles, fleet: extra },
    keys: { ...keys, [idOf('a')]: a },
  })
  assert.deepEqual(compareRoots(PLAIN, after), [
    { kind: 'member', member: 'x-mirror', state: 'added' },
    { kind: 'member', member: 'roles.fleet', state: 'added' },
    { kind: 'member', member: `keys.${idOf('a')}.comment`, state: 'added' },
  ])
  assert.deepEqual(
    compareRoots(after, PLAIN).map((change) => change.kind === 'member' && change.state),
    ['removed', 'removed', 'removed'],
  )
})

test('a review says from which roles something was taken', () => {
  const tightened = (...edits: Parameters<typeof editRoot>[1]) =>
    reviewOf(editRoot(nextRoot(PLAIN), edits), PLAIN, NOW_MS).tightened
  assert.deepEqual(tightened({ kind: 'add', role: 'rollout', key: keyOf('d') }), [])
  assert.deepEqual(
    tightened(
      { kind: 'add', role: 'rollout', key: keyOf('d') },
      { kind: 'remove', role: 'rollout', id: idOf('rollout') },
    ),
    ['rollout'],
  )
  assert.deepEqual(reviewOf(PLAIN, undefined, NOW_MS).tightened, [])
})

test('a sound root gives no warning; each weakness gives one (catalogue 41)', () => {
  const warned = (root: Parameters<typeof warningsFor>[0], now = NOW_MS) =>
    warningsFor(root, now).map((text) => text.replaceAll(/[0-9a-f]{64}/g, 'K'))
  assert.deepEqual(warned(PLAIN), [])
  assert.deepEqual(warned(rootOf({ root: 'a b c', release: 'release', rollout: 'a' }, { root: 2 })), [
    'key K is in root and rollout: the key of a job that runs every day could change all keys.',
  ])
  assert.deepEqual(warned(rootOf({ root: 'a b c', release: 'x', rollout: 'x' }, { root: 2 })), [
    'key K plays several roles (release, rollout): lose it, and all are lost.',
  ])
  assert.match(
    warned(rootOf({ root: 'a b', release: 'x', rollout: 'y' })).join(),
    /the threshold of the role root is 1/,
  )
  assert.match(
    warned(rootOf({ root: 'a b', release: 'x', rollout: 'y' }, { root: 2 })).join(),
    /^if any root key is lost, no further root can be made/,
  )
  assert.match(warned(PLAIN, Date.UTC(2030, 11, 1)).join(), /^it expires at 2031-01-01T00:00:00Z/)
})

test('an expiry is a term or a date, and later than now', () => {
  assert.equal(parseExpiry('5y', NOW_MS), '2031-11-21T00:00:00Z')
  assert.equal(parseExpiry('400d', NOW_MS), '2027-12-27T00:00:00Z')
  assert.equal(parseExpiry('2030-02-28', NOW_MS), '2030-02-28T00:00:00Z')
  assert.equal(parseExpiry('2030-02-28T12:00:00Z', NOW_MS), '2030-02-28T12:00:00Z')
  for (const text of ['', '0y', '2026-11-22', '2030-02-30', 'soon', '-5y', '1e3y', '999y'])
    assert.throws(() => parseExpiry(text, NOW_MS), failsWith('ERR_USAGE_INVALID'), text)
})
