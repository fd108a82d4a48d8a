import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type JsonObject, readRoot } from '../../../manifests/index.ts'
import { editRoot, findKeyId, nextRoot, type RootEdit } from '../../../release/roots/edit-root.ts'
import { failsWith } from '../project-fixture.ts'
import { idOf, keyOf, PLAIN, rootOf, signedBy } from './root-fixture.ts'

const add = (label: string): RootEdit => ({ kind: 'add', role: 'root', key: keyOf(label) })
const remove = (label: string): RootEdit => ({ kind: 'remove', role: 'root', id: idOf(label) })
const throwsWith = (code: string, message: RegExp, work: () => unknown): void => {
  assert.throws(work, failsWith(code, message))
}

test('the next root has the next version and no signatures, and is the same otherwise', async () => {
  const next = nextRoot(await signedBy(PLAIN, 'a', 'b'))
  assert.deepEqual(next.document, { ...PLAIN.document, version: 2, signatures: [] })
})

test('a key is replaced in one step; its bytes go when no role names it', () => {
  const edited = editRoot(PLAIN, [remove('a'), add('d')])
  assert.deepEqual([...edited.roles.root.keys.keys()], [idOf('b'), idOf('c'), idOf('d')])
  assert.equal(Object.hasOwn(edited.document['keys'] as JsonObject, idOf('a')), false)
  assert.equal(edited.roles.root.threshold, 2)
})

test('a key that another role still names keeps its bytes', () => {
  const shared = rootOf({ root: 'a b', release: 'a', rollout: 'a' })
  const edited = editRoot(shared, [remove('a')])
  assert.deepEqual(Object.keys(edited.document['keys'] as JsonObject).toSorted(), [idOf('a'), idOf('b')].toSorted())
})

test('an edit drops the signatures, which covered something else, and leaves the root before it alone', async () => {
  const signed = await signedBy(PLAIN, 'a', 'b')
  assert.deepEqual(editRoot(signed, [add('d')]).document['signatures'], [])
  assert.equal((signed.document['signatures'] as unknown[]).length, 2)
})

test('what agents would refuse is refused before it is written', () => {
  throwsWith('ERR_TRUST_ROOT', /role root needs 2 keys and has 1/, () => editRoot(PLAIN, [remove('a'), remove('b')]))
  throwsWith('ERR_TRUST_ROOT', /needs 4 keys and has 3/, () =>
    editRoot(PLAIN, [{ kind: 'threshold', role: 'root', threshold: 4 }]),
  )
  throwsWith('ERR_TRUST_ROOT', /roles\.release\.keys: expected 1 to 64 elements, got 0/, () =>
    editRoot(PLAIN, [{ kind: 'remove', role: 'release', id: idOf('release') }]),
  )
  throwsWith('ERR_TRUST_ROOT', /expires/, () => editRoot(PLAIN, [{ kind: 'expires', at: '2031-02-30T00:00:00Z' }]))
  throwsWith('ERR_TRUST_KEY', /small order/, () =>
    editRoot(PLAIN, [{ kind: 'add', role: 'root', key: new Uint8Array(32) }]),
  )
})

test('a first root with a key twice in a role is refused (catalogue 41)', () => {
  throwsWith('ERR_TRUST_ROOT', /names a key twice/, () => rootOf({ root: 'a a', release: 'a', rollout: 'a' }))
  assert.equal(rootOf({ root: 'a b', release: 'a', rollout: 'a' }).version, 1)
})

test('an edit that changes nothing is a mistake', () => {
  throwsWith('ERR_USAGE_INVALID', /has this key/, () => editRoot(PLAIN, [add('a')]))
  throwsWith('ERR_USAGE_INVALID', /nothing to change/, () =>
    editRoot(PLAIN, [{ kind: 'threshold', role: 'root', threshold: 2 }]),
  )
})

test('a key is found by its id or a beginning that is its alone', () => {
  const ids = ['aaaa11'.padEnd(64, '0'), 'aaaa22'.padEnd(64, '0')]
  assert.equal(findKeyId('aaaa2', 'root', ids), ids[1])
  assert.equal(findKeyId(ids[0] ?? '', 'root', ids), ids[0])
  throwsWith('ERR_USAGE_INVALID', /more than one key/, () => findKeyId('aaaa', 'root', ids))
  for (const prefix of ['bbbb', 'aaa', '', 'AAAA1', '__proto__'])
    throwsWith('ERR_USAGE_INVALID', /no such key/, () => findKeyId(prefix, 'root', ids))
})

test('members that are not known stay as they are', () => {
  const root = readRoot({ ...PLAIN.document, 'x-contact': 'harbour office' })
  assert.equal(editRoot(root, [add('d')]).document['x-contact'], 'harbour office')
})
