import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findInFile } from '../../../release/build/find-in-file.ts'

const CHUNK = 1 << 20
let path = ''
before(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'moult-find-')), 'file')
})
after(() => rm(join(path, '..'), { recursive: true, force: true }))

test('every place is found once with its whole context, also across the borders of chunks and at both ends', async () => {
  const needle = Buffer.from('NEEDLE')
  const offsets = [0, 100, CHUNK - 9, CHUNK - 3, CHUNK + 3, 2 * CHUNK - 10, 2 * CHUNK, 3 * CHUNK - 6]
  const file = Buffer.alloc(3 * CHUNK, '.')
  for (const offset of offsets) needle.copy(file, offset)
  await writeFile(path, file)
  for (const [lead, tail] of [
    [0, 0],
    [10, 0],
    [0, 10],
    [7, 5],
  ] as const) {
    const found = await findInFile(path, needle, lead, tail)
    assert.deepEqual(
      found.map(({ offset, context }) => [offset, context.toString()]),
      offsets.map((at) => [at, file.toString('latin1', Math.max(0, at - lead), at + 6 + tail)]),
    )
  }
})

test('nothing is found in an empty file or one shorter than what is sought', async () => {
  for (const text of ['', 'NEE']) {
    await writeFile(path, text)
    assert.deepEqual(await findInFile(path, Buffer.from('NEEDLE'), 3, 3), [])
  }
})
