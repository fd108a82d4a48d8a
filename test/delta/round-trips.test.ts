import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPatch } from '../../delta/index.ts'
import { applyWhole, changePieces, makeTar, numbersTo, randomFile, TARGETS, twoBuilds } from './patching.ts'
import { makeProgram, seededRandom } from './small-programs.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1000000)

test(`files that share pieces come back whole (seed ${seed})`, () => {
  const random = seededRandom(seed)
  for (let round = 0; round < 60; round++) {
    const old = randomFile(random, random(3) === 0 ? random(40) : random(20000))
    const fresh = random(5) === 0 ? randomFile(random, random(5000)) : changePieces(random, old)
    const patch = createPatch(old, fresh)
    assert.deepEqual(applyWhole(old, patch, fresh.length), Buffer.from(fresh))
  }
})

test('empty files, and equal ones, come back whole', () => {
  for (const [old, fresh] of [
    ['', ''],
    ['', 'some text'],
    ['some text', ''],
    ['same', 'same'],
  ] as const) {
    const patch = createPatch(Buffer.from(old), Buffer.from(fresh))
    assert.equal(applyWhole(Buffer.from(old), patch, 100).toString(), fresh)
  }
})

for (const target of TARGETS) {
  test(`a function inserted into an executable (${target.join(', ')}) costs little more than its own bytes`, () => {
    const [old, fresh] = twoBuilds(target, 120)
    const patch = createPatch(old, fresh)
    assert.deepEqual(applyWhole(old, patch, fresh.length), Buffer.from(fresh))
    // The same without its header is no executable, so that no address is predicted.
    const plain = createPatch(old.subarray(1), fresh.subarray(1))
    assert.ok(patch.length < 420, `${patch.length} bytes`)
    assert.ok(patch.length < plain.length * 0.7, `${patch.length} bytes, ${plain.length} without prediction`)
  })
}

test('an executable that changed into another kind of file comes back whole', () => {
  const [elf] = twoBuilds(['elf', 'x86-64'], 40)
  const [, mach] = twoBuilds(['mach', 'arm64'], 50)
  const text = Buffer.from('now a script\n'.repeat(50))
  for (const [old, fresh] of [
    [elf, mach],
    [elf, text],
    [text, elf],
  ] as const) {
    assert.deepEqual(applyWhole(old, createPatch(old, fresh), fresh.length), Buffer.from(fresh))
  }
})

test(`executables with broken headers and tables come back whole (seed ${seed})`, () => {
  const random = seededRandom(seed)
  for (const target of TARGETS) {
    for (let round = 0; round < 8; round++) {
      const [old, fresh] = twoBuilds(target, 30)
      for (const file of [old, fresh]) {
        for (let count = 1 + random(12); count > 0; count--)
          file[random(3) > 0 ? random(1200) : file.length - 1 - random(900)] = random(256)
      }
      assert.deepEqual(applyWhole(old, createPatch(old, fresh), fresh.length), Buffer.from(fresh))
    }
  }
})

test('tables whose fields overlap come back whole', () => {
  const functions = numbersTo(60)
  const build = { container: 'elf', machine: 'x86-64', crowded: true } as const
  const old = makeProgram({ ...build, functions })
  const fresh = makeProgram({ ...build, functions: [...functions.slice(0, 20), 60, ...functions.slice(20)] })
  assert.deepEqual(applyWhole(old, createPatch(old, fresh), fresh.length), Buffer.from(fresh))
})

test('in a tree, renamed and moved files cost next to nothing, and executables what they cost alone', () => {
  const random = seededRandom(7)
  const text = Buffer.from(Array.from({ length: 4000 }, () => `word${random(900)}`).join(' '))
  const picture = randomFile(random, 30000)
  const [oldProgram, newProgram] = twoBuilds(['elf', 'x86-64'], 120)
  const [oldOther, newOther] = twoBuilds(['elf', 'arm64'], 120)
  const alone = createPatch(oldProgram, newProgram).length + createPatch(oldOther, newOther).length
  const changed = Buffer.from(text.toString().replace('word5 ', 'another '))
  const old = makeTar({ 'bin/agent': oldProgram, 'a/picture': picture, 'docs/text': text, 'bin/other': oldOther })
  const fresh = makeTar({
    'b/renamed': picture,
    'bin/other': newOther,
    'bin/new-name': newProgram,
    'docs/text': changed,
  })
  const patch = createPatch(old, fresh)
  assert.deepEqual(applyWhole(old, patch, fresh.length), Buffer.from(fresh))
  assert.ok(patch.length < alone + 220, `${patch.length} bytes, the executables alone ${alone}`)
})
