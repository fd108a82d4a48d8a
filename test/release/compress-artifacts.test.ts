import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brotliDecompressSync } from 'node:zlib'

import { sha256 } from '../../manifests/index.ts'
import { compressFile, qualityFor } from '../../release/compress-artifacts.ts'
import type { StagedFile } from '../../release/stage-artifacts.ts'
import { temporaryFolder } from './project-fixture.ts'

const signal = new AbortController().signal

async function staged(t: TestContext, bytes: Uint8Array): Promise<StagedFile> {
  const path = join(await temporaryFolder(t), 'artifact')
  await writeFile(path, bytes)
  return { path, size: bytes.length, sha256: sha256(bytes) }
}

test('what is compressed unpacks to the same bytes, and its own digest is right', async (t) => {
  const bytes = Buffer.from('all work and no play '.repeat(20_000))
  const packed = await compressFile(await staged(t, bytes), signal)
  assert.ok(packed !== undefined)
  const file = await readFile(packed.path)
  assert.deepEqual([packed.size, packed.sha256], [file.length, sha256(file)])
  assert.ok(brotliDecompressSync(file).equals(bytes))
})

test('bytes that hardly shrink are not published twice', async (t) => {
  const file = await staged(t, randomBytes(100_000))
  assert.equal(await compressFile(file, signal), undefined)
  assert.deepEqual(await readdir(dirname(file.path)), ['artifact'])
})

test('the same bytes are compressed to the same bytes', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * index) % 251))
  const [one, two] = [
    await compressFile(await staged(t, bytes), signal),
    await compressFile(await staged(t, bytes), signal),
  ]
  assert.equal(one?.sha256, two?.sha256)
})

test('larger artifacts are compressed less hard, so that no release waits for minutes', () => {
  assert.deepEqual([1e6, 4e6, 20e6, 64e6, 140e6].map(qualityFor), [11, 11, 9, 9, 7])
})
