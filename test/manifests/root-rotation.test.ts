// The root rotations of the TUF conformance suite, on this chain of roots: what the walk accepts, where it stops, and that
// only the keys of the root that was reached count afterwards. The same cases are vectors, with the prefix tuf-.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { acceptRoots, assertSelfSigned, readRoot, verifyManifest } from '../../manifests/index.ts'
import { makeKey, makeManifest, NOW_MS } from '../fixtures/signed-manifest.ts'
import { ROTATIONS, rootsOf } from '../vector-cases/rotation-cases.ts'

describe('root rotation', () => {
  test('has the fifteen cases of the suite, and a valid twin for each that fails', () => {
    assert.equal(new Set(ROTATIONS.map(({ name }) => name)).size, 15)
    for (const { expect, twin } of ROTATIONS) {
      assert.equal(twin === undefined, expect === 'ok')
      if (twin !== undefined) assert.equal(ROTATIONS.find(({ name }) => name === twin)?.expect, 'ok')
    }
  })

  for (const rotation of ROTATIONS) {
    test(`${rotation.name}: ${rotation.expect}`, () => {
      const [pinned, ...chain] = rootsOf(rotation)
      const reached = rotation.expect === 'ok' ? rotation.steps.length : rotation.steps.length - 1
      assertSelfSigned(readRoot(pinned))

      const { root, refused } = acceptRoots(readRoot(pinned), chain)
      assert.equal(refused?.code ?? 'ok', rotation.expect)
      assert.equal(root.version, reached)
      assert.deepEqual(root.document, [pinned, ...chain][reached - 1])
      const step = rotation.steps[reached - 1]
      assert.equal(root.roles.root.threshold, step?.threshold)
      const ids = step?.keys.map((number) => makeKey(`rotation ${number}`).id)
      assert.deepEqual([...root.roles.root.keys.keys()], ids)

      const { bytes, trust } = makeManifest({ pinned, chain })
      const verdict = verifyManifest(bytes, trust, NOW_MS)
      assert.equal(verdict.kind === 'accepted' ? 'ok' : verdict.error.code, rotation.expect)
      assert.equal(verdict.trust.root.version, reached, 'progress is kept, whatever became of the manifest')
    })
  }
})
