// Writes test/vectors/delta/: old and new files of every kind, and the patch that today's encoder makes of them:
// `npx tsx scripts/make-delta-vectors.ts`. Run it for new cases only, or when the format gets a new name: a patch that
// was published once must be read for ever, so the patches that are there are the vectors, not what this would write.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createPatch } from '../delta/index.ts'
import { changePieces, makeTar, randomFile, TARGETS, twoBuilds } from '../test/delta/patching.ts'
import { seededRandom } from '../test/delta/small-programs.ts'

const SEED = 20260101
const folder = new URL('../test/vectors/delta/', import.meta.url)
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const random = seededRandom(SEED)
const plain = randomFile(random, 6000)
const text = Buffer.from(Array.from({ length: 900 }, () => `word${random(120)}`).join(' '))
const [oldElf, newElf] = twoBuilds(['elf', 'x86-64'], 40)
const pairs: Readonly<Record<string, readonly [Uint8Array, Uint8Array]>> = {
  empty: [new Uint8Array(0), new Uint8Array(0)],
  'from-nothing': [new Uint8Array(0), text.subarray(0, 700)],
  equal: [plain, plain],
  random: [plain, changePieces(random, plain)],
  text: [text, Buffer.from(text.toString().replaceAll('word7 ', 'another '))],
  'elf-x86-64': [oldElf, newElf],
  ...Object.fromEntries(
    TARGETS.slice(1).map(([container, machine]) => [`${container}-${machine}`, twoBuilds([container, machine], 40)]),
  ),
  tar: [makeTar({ 'a/text': text, 'b/program': oldElf }), makeTar({ 'b/program': newElf, 'c/text': text })],
}

mkdirSync(folder, { recursive: true })
const index = Object.entries(pairs).map(([name, [old, fresh]]) => {
  const patch = createPatch(old, fresh)
  for (const [kind, bytes] of Object.entries({ old, patch, new: fresh })) {
    const file = new URL(`${name}.${kind}`, folder)
    if (!existsSync(file)) writeFileSync(file, bytes)
  }
  return { name, old: digest(old), new: digest(fresh) }
})
writeFileSync(new URL('index.json', folder), `${JSON.stringify(index, null, 2)}\n`)
console.log(`${index.length} pairs in test/vectors/delta/`)
