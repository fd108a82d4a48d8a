import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPatch, createPatch, memorySource, PatchError } from '../../delta/index.ts'
import { applyWhole, changePieces, makeTar, mutatePatch, randomFile, TARGETS, twoBuilds } from './patching.ts'
import { seededRandom } from './small-programs.ts'

const MUTATIONS = 3000
const seed = Number(process.env['SEED'] ?? Date.now() % 1000000)

test('a patch for another old file, a larger result than stated, and other bytes are refused', () => {
  const old = Buffer.from('the old file of the test')
  const fresh = Buffer.from('the new file of the test')
  const patch = createPatch(old, fresh)
  assert.equal(applyWhole(old, patch, fresh.length).toString(), fresh.toString())
  for (const [file, bytes, max] of [
    [old.subarray(1), patch, 100],
    [old, patch, fresh.length - 1],
    [old, Buffer.from('not a patch'), 100],
    [old, new Uint8Array(0), 100],
    [old, patch.subarray(0, 2), 100],
    [old, patch.subarray(0, 8), 100],
    [old, Uint8Array.of(0xd1, 24, 0xff, 0xff, 0xff, 0xff, 0x7f), 2 ** 40],
  ] as const) {
    assert.throws(
      () => applyWhole(file, bytes, max),
      (error) => error instanceof PatchError && error.code === 'DELTA_INVALID',
    )
  }
})

test('a patch that reads behind the end of the old file is refused', () => {
  const random = seededRandom(5)
  const old = randomFile(random, 5000)
  const fresh = new Uint8Array(Buffer.concat([old.subarray(2000), old.subarray(0, 1000)]))
  const patch = createPatch(old, fresh)
  assert.deepEqual(applyWhole(old, patch, fresh.length), Buffer.from(fresh))
  assert.deepEqual([...patch.subarray(1, 3)], [0x88, 0x27], 'the size of the old file')
  const shorter = Uint8Array.from(patch)
  shorter.set([0x80 | (4900 & 127), 4900 >> 7], 1)
  assert.throws(() => applyWhole(old.subarray(0, 4900), shorter, fresh.length), /a cover lies outside the old file/)
})

test('the first piece comes before the patch is read to its end', () => {
  const random = seededRandom(3)
  const old = randomFile(random, 150000)
  const fresh = new Uint8Array(Buffer.concat([randomFile(random, 100000), old]))
  const patch = createPatch(old, fresh)
  let furthest = 0
  const watched = {
    length: patch.length,
    read: (target: Uint8Array, position: number) => {
      furthest = Math.max(furthest, position + target.length)
      target.set(patch.subarray(position, position + target.length))
    },
  }
  for (const piece of applyPatch(memorySource(old), watched, fresh.length)) if (piece.length > 0) break
  assert.ok(furthest > 0 && furthest < patch.length, `${furthest} of ${patch.length}`)
})

test(`${MUTATIONS} mutated patches end in a PatchError or in at most the stated size (seed ${seed})`, () => {
  const random = seededRandom(seed)
  const plain = randomFile(random, 9000)
  const programs = TARGETS.map((target) => twoBuilds(target, 40))
  const pairs = [
    [plain, changePieces(random, plain)],
    ...programs,
    [makeTar({ a: plain, b: programs[0]?.[0] ?? plain }), makeTar({ b: programs[0]?.[1] ?? plain, c: plain })],
  ] as [Uint8Array, Uint8Array][]
  let wrong = 0
  let refused = 0
  for (const [old, fresh] of pairs) {
    const patch = createPatch(old, fresh)
    for (let round = 0; round < MUTATIONS / pairs.length; round++) {
      try {
        if (Buffer.compare(applyWhole(old, mutatePatch(random, patch), fresh.length), fresh) !== 0) wrong++
      } catch (error) {
        if (!(error instanceof PatchError)) throw error
        refused++
      }
    }
  }
  assert.ok(wrong > MUTATIONS / 10 && refused > MUTATIONS / 10, `${wrong} wrong, ${refused} refused`)
})
